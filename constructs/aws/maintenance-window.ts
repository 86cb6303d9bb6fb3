const time = String.raw`(mon|tue|wed|thu|fri|sat|sun):([01]\d|2[0-3]):[0-5]\d`
const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const week = 7 * 24 * 60

/** Whether a text is a weekly window of an hour to a day, such as sun:02:00-sun:03:00. */
export function isMaintenanceWindow(text: string): boolean {
  if (!new RegExp(`^${time}-${time}$`).test(text)) return false
  const [from = 0, to = 0] = text.split('-').map(minuteOfWeek)
  const length = (to - from + week) % week
  return length >= 60 && length <= 24 * 60
}

function minuteOfWeek(text: string): number {
  const [day = '', hours = '', minutes = ''] = text.split(':')
  return days.indexOf(day) * 24 * 60 + Number(hours) * 60 + Number(minutes)
}

export const maintenanceWindowRule = 'expected an hour to a day, UTC, such as sun:02:00-sun:03:00'
