import { Badge, Button, Group } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useMemo } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { useMeQuery } from '../api/session';
import { Page } from '../app/Page';
import { Answered } from '../app/states';
import { configOf, draftOf, type Draft } from './draft';
import { useDraft } from './drafts';
import { Editor } from './Editor';
import { useCatalogueQuery, type Catalogue } from '../api/catalogue';
import {
  useAddVersionMutation,
  useCreateStrategyMutation,
  useStrategyQuery,
  useTemplatesQuery,
  type Content,
  type Saved,
} from './requests';

const FIRST_TEMPLATE = 'twelve_month_rule';
const CHANGED_ELSEWHERE = 412;

/** `/strategies/new`, from a template. */
export function NewStrategy() {
  const [query] = useSearchParams();
  const templates = useTemplatesQuery();
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  const wanted = query.get('template') ?? FIRST_TEMPLATE;
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
                  template === undefined ? null : (
                    <Unsaved
                      key={wanted}
                      owner={owner}
                      id={`new:${wanted}`}
                      initial={draftOf(template.rule, template.title)}
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

/** `/strategies/:id`, the newest version of a saved one. */
export function SavedStrategy() {
  const { id = '' } = useParams();
  const saved = useStrategyQuery(id);
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  const name = saved.data?.entry.latest.name ?? 'Strategy';
  return (
    <Page title={name} tab={`${name} - Strategy`}>
      <Answered query={saved}>
        {(stored) => (
          <Answered query={me}>
            {({ name: owner }) => (
              <Answered query={catalogue}>
                {(data) => <Versioned key={id} owner={owner} saved={stored} catalogue={data} />}
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
  const use = useDraft(owner, id, initial);
  const [create, { isLoading }] = useCreateStrategyMutation();
  const navigate = useNavigate();
  const save = async () => {
    const answer = await create({ name: use.draft.name.trim(), ...contentOf(use.draft, catalogue) });
    if (answer.error !== undefined) {
      report(answer.error as Failure);
      return;
    }
    use.discard();
    void navigate(`/strategies/${answer.data.id}`);
  };
  return (
    <Editor
      use={use}
      catalogue={catalogue}
      saving={
        <Group gap="xs">
          {use.changed && (
            <Button size="xs" variant="subtle" onClick={use.discard}>
              Reset
            </Button>
          )}
          <Button size="xs" variant="default" loading={isLoading} onClick={() => void save()}>
            Save
          </Button>
        </Group>
      }
    />
  );
}

function Versioned({ owner, saved: { entry, tag }, catalogue }: Common & { saved: Saved }) {
  const { latest } = entry;
  const initial = useMemo(() => draftOf(latest.rule, latest.name, latest.universe), [latest]);
  const use = useDraft(owner, `${entry.id}:${latest.version}`, initial);
  const [add, { isLoading }] = useAddVersionMutation();
  const save = async () => {
    const answer = await add({ id: entry.id, tag, content: contentOf(use.draft, catalogue) });
    if (answer.error !== undefined) {
      report(answer.error as Failure);
      return;
    }
    use.discard();
    notifications.show({ message: `Version ${answer.data.latest.version} of ${latest.name} is saved.` });
  };
  return (
    <Editor
      use={use}
      catalogue={catalogue}
      saving={
        <Group gap="xs">
          <Badge variant="default">version {latest.version}</Badge>
          {use.changed && (
            <>
              <Button size="xs" variant="subtle" onClick={use.discard}>
                Reset
              </Button>
              <Button size="xs" variant="default" loading={isLoading} onClick={() => void save()}>
                Save version {latest.version + 1}
              </Button>
            </>
          )}
        </Group>
      }
    />
  );
}

function contentOf(draft: Draft, catalogue: Catalogue): Content {
  return { rule: { config: configOf(draft, catalogue), mandate: draft.mandate }, universe: draft.universe };
}

function report(failure: Failure): void {
  const { status, title, text } = problemOf(failure);
  const message =
    status === CHANGED_ELSEWHERE
      ? 'A newer version was saved elsewhere. Your draft stays here; reload to see that version.'
      : text;
  notifications.show({ title, message });
}
