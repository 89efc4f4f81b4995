/** Every number of the application as text, by the rules of the terminal and the report. */

export const MINUS = '\u2212';
export const NOTHING = '\u2013';

/** Separators of thousands and decimals, and the order of a date, as the user prefers them. */
let thousands = ',';
let point = '.';
let dates = 'YYYY-MM-DD';

/** Write all numbers like `1,234.56` and all dates like `YYYY-MM-DD`, in these or other forms. */
export function writeIn(numberForm: string, dateForm: string): void {
  thousands = numberForm.charAt(1);
  point = numberForm.charAt(5);
  dates = dateForm;
}

export const decimalPoint = (): string => point;

interface Sign {
  signed?: boolean | undefined;
}

/** A number with a true minus sign and no negative zero; ties round to even, as in Python. */
export function number(value: number, digits = 0, { signed = false }: Sign = {}): string {
  const text = fixed(Math.abs(value), digits);
  if (!/[1-9]/.test(text)) return text;
  return (value < 0 ? MINUS : signed ? '+' : '') + text;
}

export function percent(fraction: number, digits = 1, sign: Sign = {}): string {
  return `${number(100 * fraction, digits, sign)}%`;
}

export function bps(value: number, { signed = true }: Sign = {}): string {
  return `${number(value, 0, { signed })} bps`;
}

/** US dollars, with four decimals below one. */
export function dollars(value: number): string {
  return `$${number(value, value > 0 && value < 1 ? 4 : 2)}`;
}

/** An amount with its currency, without decimals. */
export function money(value: number, currency: string): string {
  return `${currency} ${number(value)}`;
}

export function pValue(value: number): string {
  return value < 0.001 ? '< 0.001' : number(value, 3);
}

/** `62 to 106`, both with their signs. */
export function interval(low: number, high: number, digits = 0): string {
  return `${number(low, digits, { signed: true })} to ${number(high, digits, { signed: true })}`;
}

export function plural(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** A length of time in its two largest units: `3 min 20 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A day as it is, or the day of a moment in the reader's time zone, in the user's form. */
export function date(value: string): string {
  const [year = '', month = '', day = ''] = /^\d{4}-\d\d-\d\d$/.test(value)
    ? value.split('-')
    : localDay(value);
  return dates.replace('YYYY', year).replace('MM', month).replace('DD', day);
}

/** A moment in the reader's time zone, to the minute. */
export function moment(value: string): string {
  const at = new Date(value);
  return `${date(value)} ${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
}

function localDay(value: string): string[] {
  const at = new Date(value);
  return [String(at.getFullYear()), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())];
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** `09:41:07` in the reader's time zone. */
export function clock(value: string | number): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(
    new Date(value),
  );
}

const AGES: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];

/** `3 hours ago`; a moment of the last minute is `just now`. */
export function ago(value: string, now: number = Date.now()): string {
  const seconds = (now - new Date(value).getTime()) / 1000;
  const [unit, length] = AGES.find(([, size]) => seconds >= size) ?? [];
  if (unit === undefined || length === undefined) return 'just now';
  return new Intl.RelativeTimeFormat('en-GB', { numeric: 'auto' }).format(
    -Math.floor(seconds / length),
    unit,
  );
}

/** The text for a screen reader, which does not pronounce the sign. */
export function spoken(text: string): string {
  return text.replaceAll(MINUS, 'minus ').replaceAll('bps', 'basis points');
}

const ABBREVIATIONS = /\b(cppi|ewma|garch|tipp)\b/g;

/** `linear_decay` as `linear decay`, `inverse_vol` as `inverse volatility`, and `cppi` as `CPPI`. */
export function words(name: string): string {
  return name
    .replaceAll('_', ' ')
    .replaceAll(/\binverse vol squared\b/g, 'inverse variance')
    .replaceAll(/\binverse vol\b/g, 'inverse volatility')
    .replaceAll(ABBREVIATIONS, (letters) => letters.toUpperCase());
}

/** `base_case` as `Base case`. */
export function title(name: string): string {
  return sentenceCase(words(name));
}

export function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function fixed(value: number, digits: number): string {
  const [whole = '', decimals] = rounded(value, digits).split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, thousands);
  return decimals === undefined ? grouped : `${grouped}${point}${decimals}`;
}

/** `toFixed` is exact but rounds ties up: a tie is an odd multiple of 2 to the power -(digits + 1). */
function rounded(value: number, digits: number): string {
  const halves = value * 2 ** (digits + 1);
  if (Number.isInteger(halves) && halves % 2 === 1) {
    const below = Math.floor((halves * 5 ** digits) / 2);
    return ((below + (below % 2)) / 10 ** digits).toFixed(digits);
  }
  return value.toFixed(digits);
}
