/** The screens in the order of the navigation: a screen is a row here and a folder beside this one. */

import type { ComponentType } from 'react';

import { IconActivity, IconAdjustmentsHorizontal, IconCloudStorm, IconLayoutDashboard } from './icons';

export interface Screen {
  path: string;
  label: string;
  /** One line for the command palette. */
  about: string;
  icon: typeof IconLayoutDashboard;
  /** Opens the screen after `g`. */
  letter: string;
  load: () => Promise<{ Component: ComponentType }>;
  /** Addresses below it, relative to `path`. */
  details?: readonly { path: string; load: () => Promise<{ Component: ComponentType }> }[];
}

export const SCREENS: readonly Screen[] = [
  {
    path: '/',
    label: 'Desk',
    about: 'What waits for you, what runs, what ended',
    icon: IconLayoutDashboard,
    letter: 'd',
    load: () => import('../desk/Desk'),
  },
  {
    path: '/strategies',
    label: 'Strategies',
    about: 'Rules and mandates: preview, save, search',
    icon: IconAdjustmentsHorizontal,
    letter: 's',
    load: () => import('../strategy/Library'),
    details: [
      { path: 'new', load: () => import('../strategy/New') },
      { path: ':id', load: () => import('../strategy/Edit') },
    ],
  },
  {
    path: '/runs',
    label: 'Runs',
    about: 'Every search, live and ended',
    icon: IconActivity,
    letter: 'r',
    load: () => import('../run/Runs'),
    details: [{ path: ':id', load: () => import('../run/Run') }],
  },
  {
    path: '/scenarios',
    label: 'Scenarios',
    about: 'Worlds to test strategies in, and correlations',
    icon: IconCloudStorm,
    letter: 'c',
    load: () => import('../scenarios/Library'),
    details: [{ path: ':id', load: () => import('../scenarios/Scenario') }],
  },
];
