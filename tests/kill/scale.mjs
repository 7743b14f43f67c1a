// How much a run does: by TEST_SCALE (quick, plain, full), or as its options say. The seed is printed first.
import process from 'node:process';

const SCALES = {
  quick: { cycles: 10, deliveries: 10_000 },
  plain: { cycles: 200, deliveries: 100_000 },
  full: { cycles: 1000, deliveries: 1_000_000 },
};

/** {seed, cycles, deliveries} from the environment and --seed N, --cycles N, --deliveries N. */
export function scale(args) {
  const chosen = SCALES[process.env.TEST_SCALE ?? 'plain'];
  if (!chosen) throw new Error(`TEST_SCALE is one of ${Object.keys(SCALES).join(', ')}`);
  const options = { seed: Date.now() % 1_000_000, ...chosen };
  for (let n = 0; n < args.length; n += 2) {
    const name = /^--(seed|cycles|deliveries)$/.exec(args[n])?.[1];
    if (!name || !/^\d+$/.test(args[n + 1] ?? '')) throw new Error(`not understood: ${args.slice(n).join(' ')}; options: --seed N --cycles N --deliveries N`);
    options[name] = Number(args[n + 1]);
  }
  console.log(`seed ${options.seed}`);
  return options;
}
