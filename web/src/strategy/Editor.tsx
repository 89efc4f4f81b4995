import { Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { type ReactNode, useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { Panel } from '../app/Page';
import { Failed, Waiting } from '../app/states';
import { labelOf, textOf } from '../app/fields';
import { ClashDialog } from '../drafts/ClashDialog';
import type { DraftInUse } from '../drafts/drafts';
import { evaluationOf, fieldOf, mistakesOf, scenariosAtHand, searchOf, type Draft } from './draft';
import classes from './Editor.module.css';
import { Form } from './Form';
import { Launch } from './Launch';
import { Preview } from './Preview';
import type { Catalogue } from '../api/catalogue';
import { useScenariosQuery } from '../api/scenarios';
import { useEstimateQuery, usePictureQuery, useRulesQuery } from './requests';

const PAUSE_MS = 100;
const ESTIMATE_PAUSE_MS = 300;
const INVALID = 422;

interface Props {
  use: DraftInUse<Draft>;
  catalogue: Catalogue;
  /** Beside the form: how to keep it. */
  saving: ReactNode;
}

/** The form on the left, what it would have done on the right, and the search at the foot of the form. */
export function Editor({ use, catalogue, saving }: Props) {
  const { form: draft, change } = use;
  const [query, setQuery] = useSearchParams();
  const advanced = query.get('adv') === '1';
  const library = useScenariosQuery();
  const request = useMemo(() => evaluationOf(draft, catalogue), [draft, catalogue]);
  const [asked] = useDebouncedValue(request, PAUSE_MS, { leading: true });
  const preview = usePictureQuery(asked);
  const [pictured] = useDebouncedValue(preview.isSuccess && !preview.isFetching ? asked : null, PAUSE_MS);
  const rules = useRulesQuery(asked, { skip: pictured !== asked }); // the picture is drawn first
  const problem = useMemo(
    () => (preview.error === undefined ? null : problemOf(preview.error as Failure)),
    [preview.error],
  );
  const { searched } = draft;
  const scenarios = useMemo(
    () => scenariosAtHand(library.data?.map(({ scenario }) => scenario) ?? [], searched ?? []),
    [library.data, searched],
  );
  const names = useMemo(() => scenarios.map(({ name }) => name), [scenarios]);
  const search = useMemo(
    () =>
      searchOf(
        draft,
        catalogue,
        scenarios.filter(({ name }) => draft.scenarios?.includes(name)),
      ),
    [draft, catalogue, scenarios],
  );
  const open = useCallback(
    (value: boolean) => {
      const next = new URLSearchParams(query);
      if (value) next.set('adv', '1');
      else next.delete('adv');
      setQuery(next);
    },
    [query, setQuery],
  );
  const blocked =
    draft.name.trim() === ''
      ? 'Name the strategy, then start the search.'
      : draft.scenarios?.length === 0
        ? 'Choose a scenario, then start the search.'
        : problem?.status === INVALID
          ? mistakesOf(problem.fields, draft, catalogue) || problem.text
          : null;
  const [weighed] = useDebouncedValue(search, ESTIMATE_PAUSE_MS);
  const estimate = useEstimateQuery(weighed, { skip: blocked !== null });
  const refused = useMemo(
    () => (blocked !== null || estimate.error === undefined ? null : problemOf(estimate.error as Failure)),
    [blocked, estimate.error],
  );
  const errors = useMemo(() => ({ ...refused?.fields, ...problem?.fields }), [refused, problem]);
  return (
    <div className={classes.editor}>
      <div className={classes.form}>
        <Panel title="Your rule" actions={saving}>
          <Form
            draft={draft}
            catalogue={catalogue}
            scenarios={names}
            errors={errors}
            advanced={advanced}
            setAdvanced={open}
            defaultLimits={estimate.data?.default_limits}
            change={change}
          />
          <Launch
            request={search}
            estimate={estimate.data}
            refusal={estimate.error}
            blocked={
              blocked ??
              (refused?.status === INVALID
                ? mistakesOf(refused.fields, draft, catalogue) || refused.text
                : null)
            }
          />
        </Panel>
      </div>
      <ClashDialog
        draft={use}
        label={labelOf}
        text={(path, value) => textOf(value, fieldOf(catalogue, path))}
      />
      <Stack gap="md" className={classes.preview}>
        {problem !== null && (problem.status !== INVALID || preview.data === undefined) && (
          <Failed error={preview.error} retry={preview.refetch} compact={preview.data !== undefined} />
        )}
        {preview.data === undefined ? (
          problem === null && <Waiting height={560} label="Computing the preview" />
        ) : (
          <Preview
            picture={preview.data}
            rules={rules.data}
            rulesStale={rules.isFetching || (problem === null && pictured !== asked)}
            catalogue={catalogue}
            stale={preview.isFetching || asked !== request}
            outdated={problem !== null}
          />
        )}
      </Stack>
    </div>
  );
}
