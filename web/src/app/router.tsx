import { createBrowserRouter, Navigate } from 'react-router';

import { Broken, NoSuchPage } from './errors';
import { SCREENS } from './screens';
import { Shell } from './Shell';
import { Waiting } from './states';

export const createRouter = () =>
  createBrowserRouter([
    {
      element: <Shell />,
      errorElement: <Broken />,
      hydrateFallbackElement: <Waiting height={400} />,
      children: [
        { path: '/runs/:id/results', lazy: () => import('../results/Results'), errorElement: <Broken /> },
        {
          path: '/runs/:id/trials/:digest',
          lazy: () => import('../results/TrialPage'),
          errorElement: <Broken />,
        },
        { path: '/compare', lazy: () => import('../compare/Compare'), errorElement: <Broken /> },
        ...SCREENS.flatMap(({ path, load, details = [] }) => [
          { path, lazy: load, errorElement: <Broken /> },
          ...details.map((detail) => ({
            path: `${path}/${detail.path}`,
            lazy: detail.load,
            errorElement: <Broken />,
          })),
        ]),
        { path: 'preferences', lazy: () => import('../session/PreferencesPage'), errorElement: <Broken /> },
        { path: 'sign-in', element: <Navigate to="/" replace /> },
        { path: '*', element: <NoSuchPage /> },
      ],
    },
  ]);
