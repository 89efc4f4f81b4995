/** Colours by meaning, in an order that stays: each passes contrast and colour blindness in its theme. */

export type Scheme = 'light' | 'dark';
export type Tone = 'positive' | 'caution' | 'negative';

/** Lines, areas and marks of scenarios and other series; never of text. The second code is the dash or the symbol. */
export const SERIES: Record<Scheme, readonly string[]> = {
  light: ['#c07e1b', '#9771d0', '#2a7e6d', '#750075', '#3c4517'],
  dark: ['#aa6f18', '#925ae7', '#37a48f', '#ffa8ff', '#bde12d'],
};
export const DASHES: readonly (number[] | 'solid')[] = ['solid', [8, 4], [2, 2], [8, 2, 2, 2], [12, 3]];
export const SYMBOLS = ['circle', 'rect', 'triangle', 'diamond', 'pin'] as const;

/** Of the verdict and of warnings; each stands with a word and an icon. */
export const TONES: Record<Scheme, Record<Tone, string>> = {
  light: { positive: '#0062f5', caution: '#50430b', negative: '#b83d6e' },
  dark: { positive: '#a8cbff', caution: '#e4c444', negative: '#ff5c9d' },
};

/** From few to many: cividis, readable by the colour-blind. */
export const SEQUENTIAL = ['#00224e', '#35456c', '#666970', '#948e77', '#c8b866', '#fee838'] as const;
/** Differences, symmetric about zero. */
export const DIVERGING = ['#b35806', '#f1a340', '#d8daeb', '#8aa8d4', '#2c5d9b'] as const;

export const INK: Record<
  Scheme,
  { text: string; muted: string; line: string; surface: string; main: string }
> = {
  light: { text: '#1b2733', muted: '#566573', line: '#dde3e9', surface: '#ffffff', main: '#17466f' },
  dark: { text: '#e3e8ed', muted: '#a3b0bc', line: '#3a434c', surface: '#1b2127', main: '#8dc0ee' },
};
