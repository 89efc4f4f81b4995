/** How every chart looks: axes, tooltip and colours of a theme. */

import { useComputedColorScheme } from '@mantine/core';
import { useMemo } from 'react';

import { DASHES, INK, SERIES, SYMBOLS, type Scheme } from '../app/palettes';

/** A line of the strategy or winner, of what it is compared with, or one of several of equal rank. */
export type Role = 'main' | 'benchmark' | number;

export interface Look {
  scheme: Scheme;
  ink: (typeof INK)[Scheme];
  /** Colour, dash and symbol of a series; the dash and the symbol tell it apart without colour. */
  stroke: (role: Role) => { color: string; dash: number[] | 'solid'; symbol: string };
  /** Base of an option: fonts, tooltip, no animation for those who do not want it. */
  base: Record<string, unknown>;
  axis: (name: string, format: (value: number) => string) => Record<string, unknown>;
}

export function useLook(): Look {
  const scheme = useComputedColorScheme('light');
  return useMemo(() => lookOf(scheme), [scheme]); // a new one draws every chart again
}

export function lookOf(scheme: Scheme): Look {
  const ink = INK[scheme];
  const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
  return {
    scheme,
    ink,
    stroke: (role) => strokeOf(role, scheme),
    base: {
      animation: !still,
      animationDuration: 250,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink.text },
      grid: { left: 8, right: 16, top: 28, bottom: 8, containLabel: true },
      tooltip: {
        confine: true,
        backgroundColor: ink.surface,
        borderColor: ink.line,
        textStyle: { color: ink.text, fontSize: 12 },
        axisPointer: { lineStyle: { color: ink.muted }, crossStyle: { color: ink.muted } },
      },
    },
    axis: (name, format) => ({
      name,
      nameTextStyle: { color: ink.muted, fontSize: 11, align: 'left' },
      axisLabel: { color: ink.muted, fontSize: 11, formatter: format, hideOverlap: true },
      axisLine: { lineStyle: { color: ink.line } },
      axisTick: { show: false },
      splitLine: { lineStyle: { color: ink.line, opacity: 0.7 } },
    }),
  };
}

function strokeOf(role: Role, scheme: Scheme) {
  if (role === 'main') return { color: INK[scheme].main, dash: 'solid' as const, symbol: 'circle' };
  if (role === 'benchmark') return { color: INK[scheme].muted, dash: [6, 4], symbol: 'rect' };
  const colours = SERIES[scheme];
  return {
    color: colours[role % colours.length] ?? INK[scheme].text,
    dash: DASHES[role % DASHES.length] ?? 'solid',
    symbol: SYMBOLS[role % SYMBOLS.length] ?? 'circle',
  };
}

export const DIMENSIONS = ['x', 'y'];
/** Points that are drawn as one shape: a shape of its own for each takes a kilobyte. */
export const MANY_POINTS = { type: 'scatter', dimensions: DIMENSIONS, large: true, largeThreshold: 1 };

/** The content of a tooltip as elements: the page's policy admits no styles in markup. */
export function tooltip(heading: string, rows: readonly (readonly [string, string])[]): HTMLElement {
  const list = document.createElement('dl');
  list.className = 'chart-tooltip';
  const head = document.createElement('div');
  head.textContent = heading;
  list.append(head);
  for (const [name, value] of rows) {
    const term = document.createElement('dt');
    const text = document.createElement('dd');
    term.textContent = name;
    text.textContent = value;
    list.append(term, text);
  }
  return list;
}
