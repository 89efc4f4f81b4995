import { Anchor, Button, Group } from '@mantine/core';
import { Link, useRouteError } from 'react-router';

import { Page } from './Page';
import { Empty } from './states';

export function NoSuchPage() {
  return (
    <Page title="No such page">
      <Empty
        title="There is nothing at this address"
        action={
          <Anchor component={Link} to="/">
            Go to the desk
          </Anchor>
        }
      >
        The link may be cut off, or what it led to was deleted.
      </Empty>
    </Page>
  );
}

/** A fault of a screen; the rest of the application stays usable. */
export function Broken() {
  const error = useRouteError();
  const reason = error instanceof Error ? error.message : 'The reason is unknown.';
  return (
    <Page title="This page failed">
      <Empty
        title="Nothing of yours is lost"
        action={
          <Group mt="xs">
            <Button onClick={() => window.location.reload()}>Reload</Button>
            <Anchor component={Link} to="/">
              Go to the desk
            </Anchor>
          </Group>
        }
      >
        {reason}
      </Empty>
    </Page>
  );
}
