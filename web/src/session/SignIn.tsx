import { Alert, Button, Code, Divider, Paper, PasswordInput, Stack, Text, Title } from '@mantine/core';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { useDispatch } from 'react-redux';

import { problemOf } from '../api/problem';
import { service, type Failure } from '../api/service';
import { useAuthorizeMutation, useMethodsQuery, useSignInMutation } from '../api/session';
import { Answered } from '../app/states';
import { Wordmark } from '../app/Wordmark';
import classes from './SignIn.module.css';

const PAGE = '/sign-in';
const RETURN = 'stratigos-return';

/** Opens a session with an API key, or at the page of the company's directory, and returns to the same address. */
export function SignIn() {
  const methods = useMethodsQuery();
  const [signIn, { isLoading, error, originalArgs }] = useSignInMutation();
  const [authorize, authorization] = useAuthorizeMutation();
  const [key, setKey] = useState('');
  const dispatch = useDispatch();
  const exchanged = useRef(false);
  const redirect = `${window.location.origin}${PAGE}`;

  const enter = async (body: Parameters<typeof signIn>[0]) => {
    const answer = await signIn(body);
    if (answer.error !== undefined) return;
    // nothing that another user loaded in this browser stays
    dispatch(service.util.resetApiState());
    if (window.location.pathname !== PAGE) return;
    const back = sessionStorage.getItem(RETURN) ?? '/';
    sessionStorage.removeItem(RETURN);
    window.location.replace(back);
  };

  useEffect(() => {
    document.title = 'Sign in - Stratigos';
    const query = new URLSearchParams(window.location.search);
    const [code, state] = [query.get('code'), query.get('state')];
    if (window.location.pathname !== PAGE || code === null || state === null || exchanged.current) return;
    exchanged.current = true;
    void enter({ code, state, redirect_uri: redirect });
  });

  const openPool = async () => {
    const { pathname, search } = window.location;
    sessionStorage.setItem(RETURN, pathname === PAGE ? '/' : pathname + search);
    const answer = await authorize(redirect);
    if (answer.data !== undefined) window.location.assign(answer.data.url);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void enter({ key: key.trim() });
  };

  const failure = error ?? authorization.error;
  const problem = failure === undefined ? null : problemOf(failure as Failure);
  // a refusal of the form of a key repeats it, which must not stand on the page
  const refused = problem?.status === 401 || problem?.status === 422;
  const wrongKey = refused && originalArgs !== undefined && 'key' in originalArgs;
  return (
    <main className={classes.page}>
      <Paper withBorder radius="md" p="xl" className={classes.card}>
        <Stack gap="md">
          <Wordmark />
          <div>
            <Title order={1}>Sign in</Title>
            <Text c="dimmed" size="sm">
              A strategy desk for portfolio managers
            </Text>
          </div>
          {problem !== null && (
            <Alert role="alert" color="gray" title="You are not signed in">
              {wrongKey
                ? 'This key is not valid. Copy all of it, or ask your administrator for another.'
                : problem.text}
            </Alert>
          )}
          <Answered query={methods}>
            {(offered) => (
              <>
                {offered.includes('code') && (
                  <Button
                    size="md"
                    onClick={() => void openPool()}
                    loading={authorization.isLoading || isLoading}
                  >
                    Use your company account
                  </Button>
                )}
                {offered.length > 1 && <Divider label="or" />}
                {offered.includes('key') && (
                  <form onSubmit={submit}>
                    <Stack gap="sm">
                      <PasswordInput
                        label="API key"
                        description="From your administrator"
                        autoComplete="current-password"
                        required
                        withAsterisk={false}
                        value={key}
                        onChange={(event) => setKey(event.currentTarget.value)}
                        visibilityToggleButtonProps={{ 'aria-label': 'Show the key' }}
                      />
                      <Button
                        type="submit"
                        size="md"
                        variant={offered.length > 1 ? 'default' : 'filled'}
                        loading={isLoading}
                        disabled={key.trim() === ''}
                      >
                        Sign in
                      </Button>
                    </Stack>
                  </form>
                )}
                <Text size="xs" c="dimmed">
                  An administrator creates keys with <Code>python -m api keys create</Code>.
                </Text>
              </>
            )}
          </Answered>
        </Stack>
      </Paper>
    </main>
  );
}
