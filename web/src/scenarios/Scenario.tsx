import { Alert, Badge, Button, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { modals } from '@mantine/modals';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { useNavigate, useParams, useSearchParams } from 'react-router';

import { fieldsOf, useCatalogueQuery, type Catalogue } from '../api/catalogue';
import { isMissing, problemOf } from '../api/problem';
import {
  useDeleteScenarioMutation,
  useReplaceScenarioMutation,
  useScenarioPreviewQuery,
  useScenarioQuery,
  type PreviewRequest,
  type Scenario,
  type StoredScenario,
} from '../api/scenarios';
import type { Failure } from '../api/service';
import { useMeQuery } from '../api/session';
import { NoSuchPage } from '../app/errors';
import { labelOf, textOf } from '../app/fields';
import { IconAlertTriangle, IconCopy, IconTrash } from '../app/icons';
import { Page, Panel } from '../app/Page';
import { Answered, Failed, Waiting } from '../app/states';
import { ClashDialog } from '../drafts/ClashDialog';
import { useDraft } from '../drafts/drafts';
import { SaveButtons } from '../drafts/SaveButtons';
import { title } from '../numbers/format';
import { Form } from './Form';
import { CopyDialog } from './Library';
import { Preview } from './Preview';
import classes from './scenarios.module.css';

const PAUSE_MS = 200;
const CHANGED_ELSEWHERE = 412;
const INVALID = 422;
/** Of a preview, as the service limits them. */
const PATHS = 512;
const PATH_YEARS = 8_000;
const SHOWN = 20;
const PRICES = 'sp500';

/** `/scenarios/:id`: what a scenario states on the left, what its paths are like on the right. */
export function Component() {
  const { id = '' } = useParams();
  const stored = useScenarioQuery(id);
  const catalogue = useCatalogueQuery();
  const me = useMeQuery();
  const [copying, setCopying] = useState(false);
  if (stored.data === undefined && isMissing(stored.error as Failure)) return <NoSuchPage />;
  return (
    <Page
      title={title(id)}
      tab={`${title(id)} - Scenario`}
      actions={
        <Button
          variant="default"
          leftSection={<IconCopy size={16} aria-hidden />}
          onClick={() => setCopying(true)}
        >
          Copy
        </Button>
      }
    >
      <Answered query={stored}>
        {(found) => (
          <Answered query={catalogue}>
            {(data) => (
              <Answered query={me}>
                {({ name: owner }) =>
                  found.entry.own ? (
                    <Own key={id} owner={owner} stored={found} catalogue={data} />
                  ) : (
                    <BuiltIn scenario={found.entry.scenario} banner={found.entry.banner} catalogue={data} />
                  )
                }
              </Answered>
            )}
          </Answered>
        )}
      </Answered>
      {copying && <CopyDialog source={id} close={() => setCopying(false)} />}
    </Page>
  );
}

interface BuiltInProps {
  scenario: Scenario;
  banner: string | null;
  catalogue: Catalogue;
}

function BuiltIn({ scenario, banner, catalogue }: BuiltInProps) {
  return (
    <div className={classes.split}>
      <Panel title="Built in" actions={<Badge variant="default">follows your prices</Badge>}>
        <Text size="sm" c="dimmed" mb="sm">
          A search takes its mean and volatility from the training days. Copy it to state your own.
        </Text>
        <Form scenario={scenario} catalogue={catalogue} errors={{}} readOnly />
      </Panel>
      <Drawn
        request={{ scenario: scenario.name }}
        years={scenario.years}
        catalogue={catalogue}
        banner={banner}
      />
    </div>
  );
}

function Own({ owner, stored, catalogue }: { owner: string; stored: StoredScenario; catalogue: Catalogue }) {
  const { scenario, banner } = stored.entry;
  const use = useDraft(`stratigos-scenario:${owner}:${scenario.name}`, scenario, stored.tag);
  const [replace, { isLoading, error }] = useReplaceScenarioMutation();
  const [drawn] = useDebouncedValue(use.form, PAUSE_MS);
  const problem = error === undefined ? null : problemOf(error as Failure);
  const save = async () => {
    const answer = await replace({ scenario: use.form, tag: stored.tag });
    if (answer.error === undefined) {
      use.saved();
      notifications.show({ message: `${title(scenario.name)} is saved.` });
      return;
    }
    const { status, title: head, text } = problemOf(answer.error as Failure);
    notifications.show({
      title: head,
      message:
        status === CHANGED_ELSEWHERE
          ? 'It was saved elsewhere. Its changes are merged with yours here; look, then save again.'
          : text,
    });
  };
  const fields = fieldsOf(catalogue, 'scenario');
  return (
    <div className={classes.split}>
      <Panel
        title="Yours"
        actions={
          <SaveButtons draft={use} label={use.changed ? 'Save' : null} saving={isLoading} save={save} />
        }
      >
        <Form
          scenario={use.form}
          catalogue={catalogue}
          errors={problem?.status === INVALID && use.changed ? problem.fields : {}}
          change={use.change}
        />
        <Delete name={scenario.name} forget={use.forget} />
      </Panel>
      <Drawn request={{ scenario: drawn }} years={drawn.years} catalogue={catalogue} banner={banner} />
      <ClashDialog
        draft={use}
        label={labelOf}
        text={(path, value) =>
          textOf(
            value,
            fields.find(({ name }) => name === path),
          )
        }
      />
    </div>
  );
}

function Delete({ name, forget }: { name: string; forget: () => void }) {
  const [remove] = useDeleteScenarioMutation();
  const navigate = useNavigate();
  const ask = () =>
    modals.openConfirmModal({
      title: `Delete ${title(name)}?`,
      children: <Text size="sm">Results keep the scenario that they used. It cannot be brought back.</Text>,
      labels: { confirm: 'Delete it', cancel: 'Keep it' },
      closeButtonProps: { 'aria-label': 'Close' },
      onConfirm: () => {
        void (async () => {
          await navigate('/scenarios');
          const { error } = await remove(name);
          if (error === undefined) forget();
          notifications.show({
            message: error === undefined ? `${title(name)} is deleted.` : problemOf(error as Failure).text,
          });
        })();
      },
    });
  return (
    <Button
      mt="md"
      size="xs"
      variant="subtle"
      leftSection={<IconTrash size={14} aria-hidden />}
      onClick={ask}
    >
      Delete
    </Button>
  );
}

interface DrawnProps {
  request: Pick<PreviewRequest, 'scenario'>;
  years: number | undefined;
  catalogue: Catalogue;
  banner: string | null;
}

function Drawn({ request, years = 1, catalogue, banner }: DrawnProps) {
  const [query, setQuery] = useSearchParams();
  const universe = query.get('prices') ?? PRICES;
  const paths = Math.min(PATHS, Math.floor(PATH_YEARS / years));
  const preview = useScenarioPreviewQuery({ ...request, universe, paths, shown: SHOWN, points: 120 });
  const choose = (name: string) => setQuery(name === PRICES ? {} : { prices: name });
  return (
    <div className={classes.stack}>
      {banner !== null && (
        <Alert color="gray" icon={<IconAlertTriangle aria-hidden />}>
          {banner}
        </Alert>
      )}
      {preview.error !== undefined && (
        <Failed error={preview.error} retry={preview.refetch} compact={preview.data !== undefined} />
      )}
      {preview.data === undefined ? (
        preview.error === undefined && <Waiting height={480} label="Drawing the paths" />
      ) : (
        <div className={preview.isFetching ? classes.old : undefined} aria-busy={preview.isFetching}>
          <Preview preview={preview.data} universe={universe} choose={choose} catalogue={catalogue} />
        </div>
      )}
    </div>
  );
}
