import { type ReactNode, useEffect, useState } from 'react';

import { Waiting } from '../app/states';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { usePreferencesQuery, useSessionQuery } from '../api/session';
import { useFollowedPreferences } from './preferences';
import { SignIn } from './SignIn';

const UNAUTHORIZED = 401;

/** Shows the application to a user, and the sign-in to everyone else. */
export function Gate({ children }: { children: ReactNode }) {
  const session = useSessionQuery();
  if (session.error !== undefined && problemOf(session.error as Failure).status === UNAUTHORIZED) {
    return <SignIn />;
  }
  // without a connection the screens say so themselves
  if (session.data === undefined && session.error === undefined) return <Waiting height={400} />;
  return <Preferred>{children}</Preferred>;
}

/** Starts the screens again when the form of numbers or dates changes. */
function Preferred({ children }: { children: ReactNode }) {
  const { data, isError } = usePreferencesQuery();
  const form = useFollowedPreferences(data?.preferences);
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = window.setTimeout(() => setLate(true), 3_000);
    return () => window.clearTimeout(timer);
  }, []);
  if (data === undefined && !isError && !late) return <Waiting height={400} />;
  return <div key={form}>{children}</div>;
}
