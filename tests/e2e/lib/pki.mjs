// Certificates for one test file: an authority and what it signs, made by openssl in a folder.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export class Authority {
  constructor(dir, name = 'ca') {
    this.dir = dir;
    this.name = name;
    this.cert = path.join(dir, `${name}.pem`);
    this.key = path.join(dir, `${name}.key`);
    this.openssl(['req', '-x509', ...CURVE, '-keyout', this.key, '-out', this.cert, '-days', '2', '-subj', `/CN=${name}`]);
  }

  openssl(args) {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }

  /**
   * A certificate for 127.0.0.1 and localhost (or `san`), valid from now on for `days` (a negative number: it was). Answers
   * {cert, key}, the files, and their text as {certText, keyText}.
   */
  issue(name, { san = 'IP:127.0.0.1,DNS:localhost', days = 2 } = {}) {
    const file = (ending) => path.join(this.dir, `${name}.${ending}`);
    fs.writeFileSync(file('ext'), `subjectAltName=${san}\n`);
    this.openssl(['req', ...CURVE, '-keyout', file('key'), '-out', file('csr'), '-subj', `/CN=${name}`]);
    this.openssl(['x509', '-req', '-in', file('csr'), '-CA', this.cert, '-CAkey', this.key, '-CAcreateserial', '-days', String(days), '-extfile', file('ext'), '-out', file('pem')]);
    return {
      cert: file('pem'), key: file('key'),
      certText: fs.readFileSync(file('pem'), 'utf8'), keyText: fs.readFileSync(file('key'), 'utf8'),
    };
  }
}
