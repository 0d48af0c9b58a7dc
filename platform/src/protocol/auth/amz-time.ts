const BASIC = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

/** Epoch ms of an ISO 8601 basic time (`20260131T235959Z`) or of an HTTP date; `undefined` when it is neither. */
export function parseTime(text: string): number | undefined {
  const basic = BASIC.exec(text);
  const [, year, month, day, hour, minute, second] = basic ?? [];
  const at = basic === null ? Date.parse(text) : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(at) ? undefined : at;
}

/** `20260131T235959Z` of epoch ms. */
export function basicTime(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
