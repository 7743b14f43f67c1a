// Words and shapes of the contract that several tests share.
import fs from 'node:fs';

export const WEBHOOK_ID = /^don:integration:dvrv-us-1:devo\/dev0:webhook\/[A-Za-z0-9]{8}$/;
export const EVENT_ID = /^don:integration:dvrv-us-1:devo\/dev0:event\/[A-Za-z0-9]{11,}$/;
export const WIRE_EVENT_ID = /^don:integration:dvrv-us-1:devo\/dev0:webhook\/[A-Za-z0-9]{8}:event\/[A-Za-z0-9]{11,}$/;
export const DELIVERY_ID = /^don:integration:dvrv-us-1:devo\/dev0:webhook\/[A-Za-z0-9]{8}:delivery\/[A-Za-z0-9]+$/;
export const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;
export const WIRE_TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

export const UNKNOWN_WEBHOOK = 'don:integration:dvrv-us-1:devo/dev0:webhook/zzzzzzzz';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The delays between the attempts of one delivery, and when verify requests go out inside the window. */
export const RETRY_DELAYS_MS = [30 * SECOND, 3 * MINUTE];
export const VERIFY_AT_S = [0, 5, 15, 30, 60, 100, 140, 175];
export const VERIFY_WINDOW_MS = 3 * MINUTE;
export const DEGRADED_VERIFY_DELAYS_S = [30, 60, 120, 240, 480, 600, 600];

/** The event of schema/sample/ for a type. */
export function sample(type) {
  return JSON.parse(fs.readFileSync(new URL(`../../../schema/sample/${type}.json`, import.meta.url), 'utf8'));
}

/** Objects with what the catalogue requires of them and nothing else, for the types that most tests use. */
const SMALL = {
  work: { type: 'issue', id: 'don:core:dvrv-us-1:devo/dev0:issue/1', owned_by: [], title: 'a title' },
  tag: { id: 'don:core:dvrv-us-1:devo/dev0:tag/1', name: 'a tag' },
  part: { type: 'product', id: 'don:core:dvrv-us-1:devo/dev0:product/1', name: 'a part', owned_by: [] },
  rev_user: { id: 'don:identity:dvrv-us-1:devo/dev0:revu/1' },
};

/** A payload that is accepted. */
function payload(type) {
  const [, noun, verb] = /^(\w+)_(created|updated|deleted)$/.exec(type) ?? [];
  if (SMALL[noun] === undefined) return sample(type)[type];
  return verb === 'deleted' ? { id: SMALL[noun].id } : { [noun]: SMALL[noun] };
}

/** One event of `type` whose payload is accepted; `extra` tells which it is. */
export function event(type = 'work_created', extra = {}) {
  return { type, [type]: { ...payload(type), ...extra } };
}

export function events(count, type = 'work_created', make = (n) => ({ n })) {
  return Array.from({ length: count }, (_, n) => event(type, make(n)));
}

/** Every event type a webhook can name (DevRev's webhook-event-type enum), in alphabetical order. */
export const EVENT_TYPES = `
account_created account_deleted account_updated ai_agent_response article_created article_deleted article_updated
artifact_created artifact_deleted artifact_updated conversation_created conversation_deleted conversation_updated
dashboard_created dashboard_deleted dashboard_updated dev_user_created dev_user_deleted dev_user_updated group_created
group_deleted group_member_added group_member_removed group_updated incident_created incident_deleted incident_updated
job_created job_deleted job_updated link_created link_deleted link_updated part_created part_deleted part_updated
question_answer_created question_answer_deleted question_answer_updated rev_org_created rev_org_deleted rev_org_updated
rev_user_created rev_user_deleted rev_user_updated sla_tracker_created sla_tracker_deleted sla_tracker_fetched
sla_tracker_updated survey_created survey_deleted survey_response_created survey_response_deleted
survey_response_updated survey_updated sync_history_created sync_history_deleted sync_history_updated sync_unit_updated
tag_created tag_deleted tag_updated timeline_entry_created timeline_entry_deleted timeline_entry_updated verify
webhook_created webhook_deleted webhook_updated widget_created widget_deleted widget_updated work_created work_deleted
work_fetched work_updated`.trim().split(/\s+/);
