import {
  createTheme,
  type CSSVariablesResolver,
  type MantineColorScheme,
  type MantineColorSchemeManager,
  type MantineColorsTuple,
} from '@mantine/core';

import { INK, TONES } from './palettes';

const harbour: MantineColorsTuple = [
  '#eef5fb',
  '#dbe8f3',
  '#b5d0e8',
  '#8bb6dc',
  '#5f98c9',
  '#3f7fb5',
  '#2b699e',
  '#1d5686',
  '#17466f',
  '#10334f',
];
const slate: MantineColorsTuple = [
  '#e3e8ed',
  '#c3ccd5',
  '#a3b0bc',
  '#7b8894',
  '#3a434c',
  '#323a42',
  '#2a323a',
  '#1b2127',
  '#15191e',
  '#0f1317',
];
const sans =
  "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Inter, Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif";

export const theme = createTheme({
  primaryColor: 'harbour',
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  colors: { harbour, dark: slate },
  fontFamily: sans,
  fontSizes: { xs: '0.75rem', sm: '0.8125rem', md: '0.875rem', lg: '1rem', xl: '1.125rem' },
  headings: {
    fontFamily: sans,
    fontWeight: '620',
    sizes: {
      h1: { fontSize: '1.375rem', lineHeight: '1.3' },
      h2: { fontSize: '1.0625rem', lineHeight: '1.35' },
      h3: { fontSize: '0.9375rem', lineHeight: '1.4' },
    },
  },
  defaultRadius: 'sm',
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    // its placeholder for the focus is an element that a menu must not hold
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Button: { defaultProps: { size: 'sm' } },
    Modal: { styles: { title: { fontWeight: 600 } } },
    Drawer: { styles: { title: { fontWeight: 600 } } },
    Notification: {
      defaultProps: { closeButtonProps: { 'aria-label': 'Close' } },
      styles: { description: { color: 'var(--mantine-color-text)' } },
    },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm', fz: 'sm' } },
  },
});

export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: variablesOf('light'),
  dark: variablesOf('dark'),
});

function variablesOf(scheme: 'light' | 'dark'): Record<string, string> {
  const ink = INK[scheme];
  return {
    '--mantine-color-body': scheme === 'light' ? '#f6f8fa' : '#12161a',
    '--mantine-color-text': ink.text,
    '--mantine-color-dimmed': ink.muted,
    '--mantine-color-error': TONES[scheme].negative,
    '--mantine-color-anchor': ink.main,
    '--surface': ink.surface,
    '--line': ink.line,
    '--main': ink.main,
    '--tone-positive': TONES[scheme].positive,
    '--tone-caution': TONES[scheme].caution,
    '--tone-negative': TONES[scheme].negative,
  };
}

const COOKIE = 'stratigos-theme';
const YEAR = 31_536_000;

/** Keeps the theme in a cookie, which the service reads so that the page is never painted in the other one. */
export const schemeInCookie: MantineColorSchemeManager = {
  get(fallback) {
    const value = new RegExp(`(?:^|; )${COOKIE}=([^;]*)`).exec(document.cookie)?.[1];
    return isScheme(value) ? value : fallback;
  },
  set(value) {
    document.cookie = `${COOKIE}=${value}; Path=/; Max-Age=${YEAR}; SameSite=Strict`;
  },
  subscribe() {},
  unsubscribe() {},
  clear() {
    document.cookie = `${COOKIE}=; Path=/; Max-Age=0; SameSite=Strict`;
  },
};

function isScheme(value: string | undefined): value is MantineColorScheme {
  return value === 'light' || value === 'dark' || value === 'auto';
}
