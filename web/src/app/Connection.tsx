import { Group, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { IconCircleCheck, IconPlugConnectedX } from './icons';

import { service } from '../api/service';
import { moment } from '../numbers/format';

const EVERY_MS = 15_000;
const LOST_EVERY_MS = 2_000;

/** Whether the service answers; what is on the screen stays readable while it does not. */
export function Connection() {
  const lost = service.endpoints.health.useQueryState().error !== undefined;
  const { fulfilledTimeStamp, refetch } = service.useHealthQuery(undefined, {
    pollingInterval: lost ? LOST_EVERY_MS : EVERY_MS,
    skipPollingIfUnfocused: true,
    refetchOnFocus: true,
  });
  const since =
    fulfilledTimeStamp === undefined ? '' : ` since ${moment(new Date(fulfilledTimeStamp).toISOString())}`;
  return (
    <div role="status">
      {lost ? (
        <UnstyledButton onClick={() => void refetch()} aria-label={`No connection${since}. Try now`}>
          <Group gap={6} wrap="nowrap">
            <IconPlugConnectedX size={18} color="var(--tone-negative)" aria-hidden />
            <Text span size="sm" visibleFrom="sm">
              No connection{since}
            </Text>
          </Group>
        </UnstyledButton>
      ) : (
        <Tooltip label="Connected to the service">
          <Group gap={6} wrap="nowrap" aria-label="Connected" role="img">
            <IconCircleCheck size={16} color="var(--mantine-color-dimmed)" aria-hidden />
          </Group>
        </Tooltip>
      )}
    </div>
  );
}
