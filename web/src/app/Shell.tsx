import { AppShell, Burger, Group, Kbd, Text, Tooltip, UnstyledButton } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { useEffect, useRef } from 'react';
import { Link, NavLink, Outlet, ScrollRestoration, useLocation } from 'react-router';

import { UserMenu } from '../session/UserMenu';
import { CommandPalette } from './CommandPalette';
import { Connection } from './Connection';
import { IconSearch } from './icons';
import { useShortcuts } from './shortcuts';
import { ShortcutHelp } from './ShortcutHelp';
import { SCREENS } from './screens';
import classes from './Shell.module.css';
import { Wordmark } from './Wordmark';

/** The frame of every screen: search, connection, navigation. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure(false);
  const [helpOpened, help] = useDisclosure(false);
  const { pathname } = useLocation();
  const arrived = useRef(pathname);
  useEffect(() => {
    if (arrived.current === pathname) return;
    arrived.current = pathname;
    close();
    (document.querySelector('h1') ?? document.getElementById('main'))?.focus();
  }, [pathname, close]);
  const shortcuts = useShortcuts(help.open);
  return (
    <AppShell
      header={{ height: 48 }}
      navbar={{ width: { base: 220, sm: 56, lg: 212 }, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'lg' }}
      classNames={{ header: classes.header, navbar: classes.navbar }}
      transitionDuration={0}
    >
      <a href="#main" className={classes.skip}>
        Skip to the content
      </a>
      <AppShell.Header>
        <Group h="100%" px="sm" gap="sm" wrap="nowrap" justify="space-between">
          <Group gap="xs" wrap="nowrap">
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={opened ? 'Close the navigation' : 'Open the navigation'}
            />
            <Link to="/" className={classes.brand} aria-label="Stratigos, to the desk">
              <Wordmark />
            </Link>
          </Group>
          <UnstyledButton className={classes.search} onClick={spotlight.open}>
            <IconSearch size={15} aria-hidden />
            <Text span size="sm" className={classes.searchText}>
              Search strategies, runs, pages
            </Text>
            <Group gap={4} visibleFrom="sm" aria-hidden className={classes.keys}>
              <Kbd size="xs">Ctrl</Kbd>
              <Kbd size="xs">K</Kbd>
            </Group>
          </UnstyledButton>
          <Group gap="xs" wrap="nowrap">
            <Connection />
            <UserMenu openHelp={help.open} />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p={6} aria-label="Screens">
        {SCREENS.map(({ path, label, icon: Icon }) => (
          <Tooltip key={path} label={label} position="right" classNames={{ tooltip: classes.railOnly }}>
            <NavLink to={path} end={path === '/'} className={classes.place ?? ''}>
              <Icon size={18} stroke={1.7} aria-hidden />
              <span className={classes.label}>{label}</span>
            </NavLink>
          </Tooltip>
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
      <CommandPalette />
      <ShortcutHelp opened={helpOpened} close={help.close} {...shortcuts} />
      <ScrollRestoration />
    </AppShell>
  );
}
