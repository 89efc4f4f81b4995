import { Button, Group, NumberInput, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useSearchParams } from 'react-router';

import { useCorrelationsQuery, type CorrelationCheck } from '../api/scenarios';
import { Panel } from '../app/Page';
import { Failed } from '../app/states';
import { save } from '../charts/export';
import { number } from '../numbers/format';
import {
  FEWEST,
  longer,
  MOST,
  parsed,
  shorter,
  withName,
  withValue,
  written,
  type Correlated,
} from './matrix';
import classes from './scenarios.module.css';

const PAUSE_MS = 250;
const DIGITS = 2;

/** A correlation matrix, whether returns can have it, and the nearest one that they can have. */
export function Correlations() {
  const [query, setQuery] = useSearchParams();
  const text = query.get('correlations');
  const given = parsed(text);
  const [asked] = useDebouncedValue(written(given), PAUSE_MS);
  const check = useCorrelationsQuery(parsed(asked).matrix);
  const current =
    check.data !== undefined && !check.isFetching && asked === written(given) ? check.data : undefined;
  const put = (change: Change, replace: boolean) => {
    const search = new URLSearchParams(location.search); // newer than `query` while somebody types fast
    search.set('correlations', written(change(parsed(search.get('correlations')))));
    setQuery(search, { replace, preventScrollReset: true });
  };
  return (
    <Panel
      title="Correlations"
      actions={
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            disabled={given.names.length >= MOST}
            onClick={() => put(longer, false)}
          >
            Add an asset
          </Button>
          <Button
            size="xs"
            variant="default"
            disabled={given.names.length <= FEWEST}
            onClick={() => put(shorter, false)}
          >
            Remove the last
          </Button>
          <Button size="xs" variant="default" onClick={() => saveFile(given)}>
            Save (JSON)
          </Button>
        </Group>
      }
    >
      <Text size="sm" c="dimmed" mb="sm">
        Not every matrix of correlations is possible: if A moves with B and B with C, A and C cannot be
        opposites. The matrix is in the address, so that a link shares it.
      </Text>
      <Grid given={given} nearest={current?.nearest ?? null} put={(change) => put(change, true)} />
      {check.error !== undefined && <Failed error={check.error} retry={check.refetch} />}
      <div aria-live="polite">
        {current !== undefined && (
          <Finding check={current} accept={(matrix) => put(({ names }) => ({ names, matrix }), false)} />
        )}
      </div>
    </Panel>
  );
}

type Change = (now: Correlated) => Correlated;

interface GridProps {
  given: Correlated;
  nearest: readonly (readonly number[])[] | null;
  put: (change: Change) => void;
}

function Grid({ given, nearest, put }: GridProps) {
  const { names, matrix } = given;
  const rename = (row: number, name: string) => put((now) => withName(now, row, name));
  return (
    <Table.ScrollContainer minWidth={320} type="native">
      <Table className={classes.matrix} withRowBorders={false} aria-label="Correlations">
        <Table.Thead>
          <Table.Tr>
            <Table.Td />
            {names.map((name, column) => (
              // oxlint-disable-next-line react/no-array-index-key
              <Table.Th key={column} scope="col" ta="right">
                {name}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {names.map((name, row) => (
            // oxlint-disable-next-line react/no-array-index-key
            <Table.Tr key={row}>
              <Table.Th scope="row">
                <TextInput
                  size="xs"
                  className={classes.name}
                  aria-label={`Name of asset ${row + 1}`}
                  maxLength={20}
                  value={name}
                  onChange={(event) => rename(row, event.currentTarget.value)}
                />
              </Table.Th>
              {names.map((other, column) => {
                const value = matrix[row]?.[column] ?? 0;
                const near = nearest?.[row]?.[column];
                const moved = near !== undefined && number(near, DIGITS) !== number(value, DIGITS);
                return (
                  // oxlint-disable-next-line react/no-array-index-key
                  <Table.Td key={column} ta="right">
                    {column > row ? (
                      <NumberInput
                        size="xs"
                        className={classes.cell}
                        aria-label={`${name} with ${other}`}
                        hideControls
                        min={-1}
                        max={1}
                        step={0.1}
                        decimalScale={3}
                        clampBehavior="blur"
                        value={Number(value.toFixed(3))}
                        onChange={(typed) =>
                          typeof typed === 'number' &&
                          put((now) => withValue(now, row, column, Math.max(-1, Math.min(1, typed))))
                        }
                      />
                    ) : (
                      <span className={classes.mirror}>{number(value, DIGITS)}</span>
                    )}
                    {moved && column > row && (
                      <Text size="xs" className={classes.changed}>
                        nearest {number(near, DIGITS)}
                      </Text>
                    )}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}

interface FindingProps {
  check: CorrelationCheck;
  accept: (matrix: readonly (readonly number[])[]) => void;
}

function Finding({ check, accept }: FindingProps) {
  const { valid, smallest_eigenvalue: smallest, nearest, distance = 0, largest_change: largest = 0 } = check;
  return (
    <Group justify="space-between" gap="sm" mt="sm" className={classes.finding} data-valid={valid}>
      <Text size="sm">
        {valid
          ? `Returns can have these correlations (smallest eigenvalue ${number(smallest, 3)}).`
          : `No returns have all of these correlations (smallest eigenvalue ${number(smallest, 3)}). The nearest
             possible matrix changes one of them by at most ${number(largest, 3)}, and lies at a
             distance of ${number(distance, 3)}.`}
      </Text>
      {nearest !== null && nearest !== undefined && (
        <Button size="xs" onClick={() => accept(nearest)}>
          Use the nearest matrix
        </Button>
      )}
    </Group>
  );
}

/** By pair, as the portfolio optimizers take them. */
function saveFile({ names, matrix }: Correlated): void {
  const pairs = names
    .map((name, row) => [
      name,
      Object.fromEntries(names.slice(row + 1).map((other, at) => [other, matrix[row]?.[row + 1 + at]])),
    ])
    .filter(([, others]) => Object.keys(others as object).length > 0);
  save(
    'correlations.json',
    new Blob([JSON.stringify(Object.fromEntries(pairs), null, 2)], { type: 'application/json' }),
  );
}
