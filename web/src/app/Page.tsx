import { Group, Text, Title } from '@mantine/core';
import { type ReactNode, useEffect, useRef } from 'react';

import classes from './Page.module.css';

interface Props {
  title: string;
  /** Of the browser's tab, the most telling part first; by default the heading. */
  tab?: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A screen: its heading takes the focus after a navigation, and the tab has its name. */
export function Page({ title, tab = title, lead, actions, children }: Props) {
  useEffect(() => {
    document.title = `${tab} - Stratigos`;
  }, [tab]);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (document.activeElement?.id === 'main') heading.current?.focus(); // the content arrives after the navigation
  }, []);
  return (
    <div className={classes.page}>
      <Group justify="space-between" align="flex-start" gap="md" className={classes.head}>
        <div>
          <Title ref={heading} order={1} tabIndex={-1} className={classes.title}>
            {title}
          </Title>
          {lead !== undefined && (
            <Text component="div" c="dimmed" className={classes.lead}>
              {lead}
            </Text>
          )}
        </div>
        {actions}
      </Group>
      {children}
    </div>
  );
}

/** A part of a screen on its own surface. */
export function Panel({
  title,
  actions,
  wide = false,
  children,
}: {
  title?: string;
  actions?: ReactNode;
  /** Takes all columns of its grid. */
  wide?: boolean;
  children: ReactNode;
}) {
  return (
    <section className={classes.panel} data-wide={wide} aria-label={title}>
      {title !== undefined && (
        <Group justify="space-between" gap="sm" mb="xs">
          <Title order={2}>{title}</Title>
          {actions}
        </Group>
      )}
      {children}
    </section>
  );
}
