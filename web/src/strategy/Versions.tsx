import { Anchor, Badge, Drawer, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { Link, useSearchParams } from 'react-router';

import type { Catalogue } from '../api/catalogue';
import { labelOf, textOf } from '../app/fields';
import { Answered } from '../app/states';
import { changedFields } from '../drafts/merge';
import { ago } from '../numbers/format';
import { fieldOf } from './draft';
import { useVersionsQuery, type Version } from './requests';
import classes from './Versions.module.css';

/** Fields that have a value in each version, or no effect. */
const RULE = /^(config|mandate|universe)/;
const DEFAULT = 'by default';

type Against = 'before' | 'newest';

interface Props {
  id: string;
  catalogue: Catalogue;
  close: () => void;
}

/** The versions of a strategy, the newest first, and what each changed. */
export function Versions({ id, catalogue, close }: Props) {
  const versions = useVersionsQuery(id);
  const [query, setQuery] = useSearchParams();
  const against: Against = query.get('against') === 'newest' ? 'newest' : 'before';
  const compare = (choice: string) => {
    const next = new URLSearchParams(query);
    if (choice === 'newest') next.set('against', 'newest');
    else next.delete('against');
    setQuery(next);
  };
  return (
    <Drawer
      opened
      onClose={close}
      position="right"
      size="md"
      title="Versions"
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <SegmentedControl
        fullWidth
        mb="md"
        aria-label="Compared with"
        value={against}
        onChange={compare}
        data={[
          { value: 'before', label: 'Against the one before' },
          { value: 'newest', label: 'Against the newest' },
        ]}
      />
      <Answered query={versions}>
        {(rows) => (
          <ol className={classes.versions}>
            {rows.map((version, place) => (
              <li key={version.version}>
                <Group justify="space-between" gap="xs">
                  <Anchor
                    component={Link}
                    to={`/strategies/${id}${place === 0 ? '' : `?v=${version.version}`}`}
                    fw={600}
                  >
                    Version {version.version}
                  </Anchor>
                  <Group gap="xs">
                    {place === 0 && <Badge variant="default">newest</Badge>}
                    <Text size="sm" c="dimmed">
                      {version.saved_at ? ago(version.saved_at) : ''}
                    </Text>
                  </Group>
                </Group>
                {version.note && <Text size="sm">{version.note}</Text>}
                <Differences
                  version={version}
                  other={against === 'newest' ? rows[0] : rows[place + 1]}
                  catalogue={catalogue}
                  first="The first version."
                />
              </li>
            ))}
          </ol>
        )}
      </Answered>
    </Drawer>
  );
}

interface DifferencesProps {
  version: Version;
  other: Version | undefined;
  catalogue: Catalogue;
  first: string;
}

function Differences({ version, other, catalogue, first }: DifferencesProps) {
  if (other === undefined) return <Text size="sm">{first}</Text>;
  if (other === version) return null;
  const [here, there] = [partsOf(version), partsOf(other)];
  const rows = changedFields(there, here);
  const text = (content: object, path: string) => {
    const value = at(content, path);
    return value === undefined && !RULE.test(path) ? DEFAULT : textOf(value, fieldOf(catalogue, path));
  };
  if (rows.length === 0) return <Text size="sm">No difference.</Text>;
  return (
    <Stack gap={2} mt={4}>
      {rows.map((path) => (
        <Text key={path} size="sm">
          {labelOf(path)}: {text(there, path)} <span aria-label="became">→</span> <b>{text(here, path)}</b>
        </Text>
      ))}
    </Stack>
  );
}

function partsOf({ universe, rule, search }: Version): object {
  return { universe, config: rule.config, mandate: rule.mandate, ...search };
}

function at(content: object, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], content);
}
