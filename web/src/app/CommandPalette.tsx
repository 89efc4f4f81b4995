import { useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { Spotlight, type SpotlightActionData, type SpotlightActionGroupData } from '@mantine/spotlight';
import { IconAdjustmentsHorizontal, IconMoon, IconReportAnalytics, IconSearch, IconSun } from './icons';
import { useState } from 'react';
import { useNavigate } from 'react-router';

import { useJobsQuery } from '../api/jobs';
import { useStrategiesQuery } from '../strategy/requests';
import { ago, title } from '../numbers/format';
import { SCREENS } from './screens';

const FOUND = 5;

/** Ctrl-K or `/`: pages, commands, and your runs by name. */
export function CommandPalette() {
  const [query, setQuery] = useState('');
  const [name] = useDebouncedValue(query.trim(), 150);
  const navigate = useNavigate();
  const { setColorScheme } = useMantineColorScheme();
  const jobs = useJobsQuery({ name, limit: FOUND }, { skip: name.length < 2 });
  const strategies = useStrategiesQuery({ archived: false }, { skip: name.length < 2 });
  const pages: SpotlightActionData[] = SCREENS.map(({ path, label, about, icon: Icon }) => ({
    id: path,
    label,
    description: about,
    leftSection: <Icon size={18} aria-hidden />,
    onClick: () => void navigate(path),
  }));
  const found: SpotlightActionData[] = (name.length < 2 ? [] : (jobs.currentData?.items ?? [])).map(
    (job) => ({
      id: job.id,
      label: job.name,
      description: `${title(job.state)}, ${ago(job.updated_at)}`,
      keywords: [name],
      leftSection: <IconReportAnalytics size={18} aria-hidden />,
      onClick: () => void navigate(`/runs/${job.id}`),
    }),
  );
  const saved: SpotlightActionData[] = (strategies.data?.items ?? []).map(({ id, latest }) => ({
    id,
    label: latest.name,
    description: `Version ${latest.version}`,
    leftSection: <IconAdjustmentsHorizontal size={18} aria-hidden />,
    onClick: () => void navigate(`/strategies/${id}`),
  }));
  const groups: SpotlightActionGroupData[] = [
    { group: 'Strategies', actions: name.length < 2 ? [] : saved },
    { group: 'Runs', actions: found },
    { group: 'Pages', actions: pages },
    {
      group: 'Commands',
      actions: [
        {
          id: 'light',
          label: 'Light theme',
          leftSection: <IconSun size={18} aria-hidden />,
          onClick: () => setColorScheme('light'),
        },
        {
          id: 'dark',
          label: 'Dark theme',
          leftSection: <IconMoon size={18} aria-hidden />,
          onClick: () => setColorScheme('dark'),
        },
      ],
    },
  ];
  return (
    <Spotlight
      actions={groups.filter(({ actions }) => actions.length > 0)}
      shortcut={['mod + K', '/']}
      query={query}
      onQueryChange={setQuery}
      limit={12}
      scrollable
      maxHeight={420}
      highlightQuery
      nothingFound={`Nothing is called “${query}”`}
      searchProps={{
        leftSection: <IconSearch size={18} aria-hidden />,
        placeholder: 'Search strategies, runs, pages',
        'aria-label': 'Search',
      }}
    />
  );
}
