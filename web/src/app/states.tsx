/** What a screen shows when there is nothing, something is on its way, or something failed. */

import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconRefresh } from './icons';
import type { ReactNode } from 'react';
import { Link, useSearchParams } from 'react-router';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import classes from './states.module.css';

interface QueryState<Data> {
  data?: Data | undefined;
  error?: unknown;
  isFetching: boolean;
  refetch: () => unknown;
}

interface AnswerProps<Data> {
  query: QueryState<Data>;
  /** Stands until the first answer; of the height of the content. */
  waiting?: ReactNode;
  children: (data: Data) => ReactNode;
}

/** An answer of the service with its other states; an answer that can no longer be renewed stays visible. */
export function Answered<Data>({ query, waiting, children }: AnswerProps<Data>) {
  if (query.data === undefined) {
    return query.error === undefined ? (
      (waiting ?? <Waiting />)
    ) : (
      <Failed error={query.error} retry={query.refetch} />
    );
  }
  return (
    <>
      {query.error !== undefined && <Failed error={query.error} retry={query.refetch} compact />}
      {children(query.data)}
    </>
  );
}

export function Waiting({ height = 160, label = 'Loading' }: { height?: number; label?: string }) {
  return (
    <div role="status" aria-label={label} className={classes.late}>
      <Skeleton height={height} />
    </div>
  );
}

interface FailedProps {
  error: unknown;
  retry?: () => unknown;
  compact?: boolean;
}

export function Failed({ error, retry, compact = false }: FailedProps) {
  const { title, text, passing, address } = problemOf(error as Failure);
  return (
    <Alert
      role="alert"
      color="gray"
      icon={<IconAlertTriangle aria-hidden />}
      title={compact ? `${title}: shown as of the last answer` : title}
      classNames={{ root: classes.failure, icon: classes.failureIcon }}
    >
      <Group justify="space-between" gap="sm">
        <Text size="sm">{text}</Text>
        {address && <ShowAll />}
        {retry !== undefined && !address && (
          <Button
            variant="default"
            size="xs"
            leftSection={<IconRefresh size={14} aria-hidden />}
            onClick={() => void retry()}
          >
            {passing ? 'Try now' : 'Try again'}
          </Button>
        )}
      </Group>
    </Alert>
  );
}

/** The page without what its address asks for. */
function ShowAll() {
  const [query] = useSearchParams();
  const tab = query.get('tab');
  return (
    <Button component={Link} to={tab === null ? '?' : `?tab=${tab}`} variant="default" size="xs">
      Show all
    </Button>
  );
}

interface EmptyProps {
  title: string;
  /** Why, and what fills the place. */
  children: ReactNode;
  action?: ReactNode;
}

export function Empty({ title, children, action }: EmptyProps) {
  return (
    <Stack gap={4} align="flex-start" className={classes.empty}>
      <Title order={3}>{title}</Title>
      <Text size="sm" c="dimmed" component="div">
        {children}
      </Text>
      {action}
    </Stack>
  );
}
