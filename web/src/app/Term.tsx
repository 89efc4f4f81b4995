import { Popover, Text, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';

import { useTerms } from '../api/glossary';
import classes from './Term.module.css';

interface Props {
  /** A name of the glossary, such as `Drawdown`. */
  name: string;
  children?: ReactNode;
}

/** A word with its definition, where it stands: by hover, focus or press. */
export function Term({ name, children = name }: Props) {
  const term = useTerms().get(name.toLowerCase());
  const [opened, { open, close, toggle }] = useDisclosure(false);
  if (term === undefined) return children;
  return (
    <Popover opened={opened} onDismiss={close} width={320} position="top-start" withArrow shadow="md">
      <Popover.Target>
        <UnstyledButton
          component="button"
          className={classes.term}
          aria-label={`${typeof children === 'string' ? children : name}, explained`}
          onMouseEnter={open}
          onMouseLeave={close}
          onBlur={close}
          onClick={toggle}
        >
          {children}
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>
        <Text size="sm" fw={600}>
          {term.names.join(', ')}
        </Text>
        <Text size="sm">{term.definition}</Text>
      </Popover.Dropdown>
    </Popover>
  );
}
