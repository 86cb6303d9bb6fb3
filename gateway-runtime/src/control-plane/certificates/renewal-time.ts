import type { Validity } from './stored-certificate.ts'

const day = 86_400_000
const longestUse = 90 * day
const longestBackoff = 6 * 3_600_000
const soonestRenewal = 3_600_000

/**
 * When a certificate is renewed: with a third of its lifetime left, and never later than 90 days after issue; then
 * earlier by up to a tenth of the time from issue until then, so that not all are renewed at once. Not within an hour of
 * issue, or half of a shorter lifetime: a clock that is wrong would have one ordered after another.
 * @param jitter - from 0 up to, without, 1
 * @returns milliseconds since 1970
 */
export function renewalTime({ notBefore, notAfter }: Validity, issuedAt: number, jitter: number): number {
  const lifetime = notAfter - notBefore
  const latest = Math.min(notAfter - lifetime / 3, issuedAt + longestUse)
  const soonest = issuedAt + Math.min(soonestRenewal, lifetime / 2)
  return Math.max(latest - ((latest - issuedAt) / 10) * jitter, soonest)
}

/**
 * A time within the window that an authority suggests (RFC 9773 section 4.2), but never later than without it: 90 days
 * after issue or the end of the certificate. Not within an hour of issue: an authority that always says "now" would be
 * asked for one after another.
 * @param window - milliseconds since 1970
 * @param jitter - from 0 up to, without, 1
 */
export function suggestedTime(
  window: { readonly start: number; readonly end: number },
  { notAfter }: Validity,
  issuedAt: number,
  jitter: number,
): number {
  const chosen = window.start + Math.max(window.end - window.start, 0) * jitter
  return Math.min(Math.max(chosen, issuedAt + soonestRenewal), issuedAt + longestUse, notAfter)
}

/**
 * Milliseconds until the next attempt after so many failures in a row: a minute, doubled each time up to six hours,
 * of it at least half; never sooner than an authority has asked for.
 * @param retryAfter - milliseconds that it asked for
 * @param jitter - from 0 up to, without, 1
 */
export function backoff(failures: number, retryAfter: number | undefined, jitter: number): number {
  const longest = Math.min(60_000 * 2 ** Math.min(failures - 1, 20), longestBackoff)
  return Math.max(longest / 2 + (longest / 2) * jitter, retryAfter ?? 0)
}
