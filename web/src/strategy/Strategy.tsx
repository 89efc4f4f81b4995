import { Anchor, Button, Group } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMemo, useState } from 'react';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';

import { useRunRequestQuery } from '../api/jobs';
import { isMissing, problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { useMeQuery, usePreferencesQuery } from '../api/session';
import { NoSuchPage } from '../app/errors';
import { IconArrowsDiff, IconCopy } from '../app/icons';
import { NameDialog } from '../app/NameDialog';
import { Page } from '../app/Page';
import { Answered } from '../app/states';
import { useDraft } from '../drafts/drafts';
import { changedFields } from '../drafts/merge';
import { SaveButtons } from '../drafts/SaveButtons';
import { sentenceCase } from '../numbers/format';
import { RISK_AVERSION } from '../session/preferences';
import { contentOf, draftOf, draftOfRun, draftOfVersion, fieldsOf, type Draft } from './draft';
import { Editor } from './Editor';
import { useCatalogueQuery, type Catalogue } from '../api/catalogue';
import {
  useAddVersionMutation,
  useCloneStrategyMutation,
  useCreateStrategyMutation,
  useStrategyQuery,
  useTemplatesQuery,
  useVersionsQuery,
  type Saved,
  type Version,
} from './requests';
import { Versions } from './Versions';

const FIRST_TEMPLATE = 'twelve_month_rule';
const CHANGED_ELSEWHERE = 412;

/** `/strategies/new`, from a template, or with `?run=` from what a run searched. */
export function NewStrategy() {
  const [query] = useSearchParams();
  const run = query.get('run');
  return run === null ? (
    <FromTemplate wanted={query.get('template') ?? FIRST_TEMPLATE} />
  ) : (
    <FromRun run={run} />
  );
}

function FromRun({ run }: { run: string }) {
  const request = useRunRequestQuery(run);
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  if (request.data === undefined && isMissing(request.error as Failure)) return <NoSuchPage />;
  return (
    <Page
      title="Change and search again"
      lead={
        <>
          What{' '}
          <Anchor component={Link} to={`/runs/${run}`} inherit>
            {request.data?.name ?? 'the run'}
          </Anchor>{' '}
          searched, to be changed. The run stays as it is; its trials count when luck is judged again on the
          same prices.
        </>
      }
    >
      <Answered query={request}>
        {(searched) => (
          <Answered query={me}>
            {({ name: owner }) => (
              <Answered query={catalogue}>
                {(data) => (
                  <Unsaved
                    key={run}
                    owner={owner}
                    id={`new:run:${run}`}
                    initial={draftOfRun(searched, data)}
                    catalogue={data}
                  />
                )}
              </Answered>
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

function FromTemplate({ wanted }: { wanted: string }) {
  const templates = useTemplatesQuery();
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  const preferences = usePreferencesQuery();
  const template = templates.data?.find(({ name }) => name === wanted) ?? templates.data?.[0];
  return (
    <Page
      title="New strategy"
      lead="Change anything: the preview follows. A search then looks for a better rule for this mandate and tests whether it is luck; each rule that you look at counts as tried."
    >
      <Answered query={templates}>
        {() => (
          <Answered query={me}>
            {({ name: owner }) => (
              <Answered query={catalogue}>
                {(data) =>
                  template === undefined || preferences.isLoading ? null : (
                    <Unsaved
                      key={wanted}
                      owner={owner}
                      id={`new:${wanted}`}
                      initial={proposed(
                        draftOf(template.rule, template.title),
                        preferences.data?.preferences.risk_tolerance ?? null,
                        data,
                      )}
                      catalogue={data}
                    />
                  )
                }
              </Answered>
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

/** `/strategies/:id`: the newest version of a saved one, or with `?v=` an earlier one. */
export function SavedStrategy() {
  const { id = '' } = useParams();
  const [query] = useSearchParams();
  const wanted = query.get('v');
  const versions = useVersionsQuery(id, { skip: wanted === null });
  const saved = useStrategyQuery(id);
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  const unknown =
    versions.data !== undefined && !versions.data.some(({ version }) => String(version) === wanted);
  if (unknown || (saved.data === undefined && isMissing(saved.error as Failure))) return <NoSuchPage />;
  const name = saved.data?.entry.latest.name ?? 'Strategy';
  return (
    <Page
      title={name}
      tab={`${name} - Strategy`}
      actions={
        saved.data && (
          <Group gap="xs">
            <Copy entry={saved.data.entry} />
            <VersionsButton
              entry={saved.data.entry}
              shown={wanted ?? String(saved.data.entry.latest.version)}
              catalogue={catalogue.data}
            />
          </Group>
        )
      }
    >
      <Answered query={saved}>
        {(stored) => (
          <Answered query={me}>
            {({ name: owner }) => (
              <Answered query={catalogue}>
                {(data) =>
                  wanted === null ? (
                    <Versioned key={id} owner={owner} saved={stored} catalogue={data} />
                  ) : (
                    <Answered query={versions}>
                      {(rows) => (
                        <Versioned
                          key={`${id}:${wanted}`}
                          owner={owner}
                          saved={stored}
                          old={rows.find(({ version }) => String(version) === wanted)}
                          catalogue={data}
                        />
                      )}
                    </Answered>
                  )
                }
              </Answered>
            )}
          </Answered>
        )}
      </Answered>
    </Page>
  );
}

interface Common {
  /** Whose draft it is. */
  owner: string;
  catalogue: Catalogue;
}

function Unsaved({ owner, id, initial, catalogue }: Common & { id: string; initial: Draft }) {
  const use = useDraft(keyOf(owner, id), initial, 'template');
  const [create, { isLoading }] = useCreateStrategyMutation();
  const navigate = useNavigate();
  const save = async () => {
    const answer = await create({ name: use.form.name.trim(), ...contentOf(use.form, catalogue) });
    if (answer.error !== undefined) {
      report(answer.error as Failure);
      return;
    }
    use.forget();
    void navigate(`/strategies/${answer.data.id}`);
  };
  return (
    <Editor
      use={use}
      catalogue={catalogue}
      saving={<SaveButtons draft={use} label="Save" saving={isLoading} save={save} />}
    />
  );
}

interface VersionedProps extends Common {
  saved: Saved;
  /** An earlier version to begin with instead of the newest. */
  old?: Version | undefined;
}

function Versioned({ owner, saved: { entry, tag }, old, catalogue }: VersionedProps) {
  const { latest } = entry;
  const shown = old ?? latest;
  const initial = useMemo(() => draftOfVersion(shown, latest.name), [shown, latest.name]);
  const key = keyOf(owner, old === undefined ? entry.id : `${entry.id}:${old.version}`);
  const use = useDraft(key, initial, old === undefined ? tag : `"${old.version}"`);
  const [add, { isLoading }] = useAddVersionMutation();
  const changed = changedFields(contentOf(initial, catalogue), contentOf(use.form, catalogue)).length > 0;
  const navigate = useNavigate();
  const save = async () => {
    const answer = await add({ id: entry.id, tag, content: contentOf(use.form, catalogue) });
    if (answer.error !== undefined) {
      report(answer.error as Failure);
      return;
    }
    notifications.show({ message: `Version ${answer.data.latest.version} of ${latest.name} is saved.` });
    if (old === undefined) {
      use.saved();
      return;
    }
    use.forget();
    void navigate(`/strategies/${entry.id}`);
  };
  return (
    <Editor
      use={use}
      catalogue={catalogue}
      saving={
        <SaveButtons
          draft={use}
          label={changed || old !== undefined ? `Save as version ${latest.version + 1}` : null}
          saving={isLoading}
          save={save}
        />
      }
    />
  );
}

interface VersionsButtonProps {
  entry: Saved['entry'];
  shown: string;
  catalogue: Catalogue | undefined;
}

function VersionsButton({ entry, shown, catalogue }: VersionsButtonProps) {
  const [query, setQuery] = useSearchParams();
  const show = (open: boolean) => {
    const next = new URLSearchParams(query);
    if (open) next.set('versions', '1');
    else for (const name of ['versions', 'against']) next.delete(name);
    setQuery(next);
  };
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconArrowsDiff size={16} aria-hidden />}
        onClick={() => show(true)}
      >
        Version {shown} of {entry.latest.version}
      </Button>
      {query.get('versions') === '1' && catalogue !== undefined && (
        <Versions id={entry.id} catalogue={catalogue} close={() => show(false)} />
      )}
    </>
  );
}

function Copy({ entry }: { entry: Saved['entry'] }) {
  const [asking, setAsking] = useState(false);
  const [clone] = useCloneStrategyMutation();
  const navigate = useNavigate();
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconCopy size={16} aria-hidden />}
        onClick={() => setAsking(true)}
      >
        Copy
      </Button>
      {asking && (
        <NameDialog
          title={`Copy ${entry.latest.name}`}
          description="The newest version, under a name of its own"
          initial={`${entry.latest.name} 2`}
          submit="Copy"
          close={() => setAsking(false)}
          act={async (name) => {
            const answer = await clone({ id: entry.id, name });
            if (answer.data !== undefined) void navigate(`/strategies/${answer.data.id}`);
            return answer.error;
          }}
        />
      )}
    </>
  );
}

/** With the risk aversion that the user prefers, unless the template states one of its own. */
function proposed(draft: Draft, tolerance: keyof typeof RISK_AVERSION | null, catalogue: Catalogue): Draft {
  const field = fieldsOf(catalogue, 'mandate').find(({ name }) => name === 'risk_aversion');
  if (tolerance === null || draft.mandate['risk_aversion'] !== field?.default) return draft;
  return { ...draft, mandate: { ...draft.mandate, risk_aversion: RISK_AVERSION[tolerance] } };
}

function keyOf(owner: string, id: string): string {
  return `stratigos-draft:${owner}:${id}`;
}

function report(failure: Failure): void {
  const { status, title, text, fields } = problemOf(failure);
  const name = fields['name'] ?? /^name: (.*)/.exec(text)?.[1];
  if (name !== undefined) {
    notifications.show({ title: 'Please choose another name', message: sentenceCase(name) });
    return;
  }
  const message =
    status === CHANGED_ELSEWHERE
      ? 'A newer version was saved elsewhere. Look at both here, then save again.'
      : text;
  notifications.show({ title, message });
}
