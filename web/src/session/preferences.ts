import { useMantineColorScheme, type MantineColorScheme } from '@mantine/core';
import { useEffect, useMemo } from 'react';

import type { Preferences } from '../api/session';
import { writeIn } from '../numbers/format';

export const SCHEMES: Record<Preferences['theme'], MantineColorScheme> = {
  system: 'auto',
  light: 'light',
  dark: 'dark',
};

/** What a form proposes for a tolerance of risk. */
export const RISK_AVERSION: Record<NonNullable<Preferences['risk_tolerance']>, number> = {
  low: 5,
  medium: 2,
  high: 1,
};

/** Applies the preferences to the theme, the density and the form of numbers; names that form. */
export function useFollowedPreferences(preferences: Preferences | undefined): string {
  const { setColorScheme } = useMantineColorScheme();
  const theme = preferences?.theme;
  const density = preferences?.density;
  useEffect(() => {
    if (theme !== undefined) setColorScheme(SCHEMES[theme]);
  }, [theme, setColorScheme]);
  useEffect(() => {
    document.documentElement.dataset.density = density ?? 'comfortable';
  }, [density]);
  const numbers = preferences?.number_format;
  const dates = preferences?.date_format;
  return useMemo(() => {
    if (numbers !== undefined && dates !== undefined) writeIn(numbers, dates);
    return `${numbers} ${dates}`;
  }, [numbers, dates]);
}
