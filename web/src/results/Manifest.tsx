import { Button, Code, List, SimpleGrid, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';

import { useJobQuery } from '../api/jobs';
import { requestOf, useReproduceMutation, type Result } from '../api/results';
import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import { Panel } from '../app/Page';
import { choiceName } from '../app/fields';
import { IconRefresh } from '../app/icons';
import { bps, date, dollars, number, percent, sentenceCase, title } from '../numbers/format';
import { Facts } from './Facts';
import { Rows } from './Rows';

/** What the result assumes, and what reproduces it. */
export function Manifest({ job, result }: { job: string; result: Result }) {
  const { manifest, counts, usage } = result;
  const request = requestOf(result);
  const { mandate } = request;
  const { data: run } = useJobQuery(job);
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }}>
      <Panel title="Assumptions and caveats">
        <List size="md" spacing={4} mb="md">
          {result.caveats.map((caveat) => (
            <List.Item key={caveat}>{sentenceCase(caveat)}</List.Item>
          ))}
        </List>
        <Facts
          facts={[
            ['Target volatility', percent(mandate.target_volatility)],
            ['Weight bounds', `${percent(mandate.min_weight, 0)} to ${percent(mandate.max_weight, 0)}`],
            ['Risk aversion', number(mandate.risk_aversion, 1)],
            ['Transaction cost', `${number(mandate.transaction_cost_bps, 1)} bps`],
            ['Borrowing over cash', `${bps(mandate.borrow_spread_bps, { signed: false })} a year`],
            ['Decision lag', `${number(mandate.decision_lag)} sessions`],
            ['Dividend yield', percent(request.dividend_yield)],
            ['Goal', choiceName(request.goal)],
            ['Seed', String(request.seed)],
          ]}
        />
      </Panel>
      <Panel title="Reproduce it" actions={<Reproduce job={job} />}>
        <Text size="sm" mb="sm">
          The run is repeated from its manifest without any model, and both digests are compared.
        </Text>
        <Facts
          facts={[
            ['Data', manifest.data_source],
            ['Training', `${date(manifest.first_day)} to ${date(manifest.train_end)}`],
            ['Validation', `to ${date(manifest.validate_end)}`],
            ['Locked holdout', `to ${date(manifest.last_day)}`],
            [
              'The search',
              `${number(counts.trials)} trials × ${number(counts.scenarios)} scenarios × ${number(counts.paths)} paths × ${number(counts.years)} years`,
            ],
            ['Ended', choiceName(counts.stopped)],
            ['Result digest', <Code key="result">{run?.result_digest ?? ''}</Code>],
            ['Prices', <Code key="prices">{manifest.data_digest}</Code>],
            ['Rates', <Code key="rates">{manifest.rates_digest}</Code>],
            ['Code', <Code key="code">{manifest.code_version}</Code>],
          ]}
        />
      </Panel>
      <Panel wide>
        <Rows
          title="Scenarios as simulated"
          heads={['Scenario', 'Engine', 'Mean', 'Volatility', 'Cash', 'Probability']}
          rows={request.scenarios.map((scenario) => ({
            key: scenario.name,
            cells: [
              title(scenario.name),
              choiceName(scenario.engine),
              percent(scenario.mu, 1, { signed: true }),
              percent(scenario.sigma),
              percent(scenario.cash_rate),
              percent(scenario.probability, 0),
            ],
          }))}
        />
      </Panel>
      <Panel wide>
        <Rows
          title="Decisions of the agents"
          heads={['Agent', 'Decided by', 'Rejected drafts']}
          rows={manifest.decisions.map((decision) => ({
            key: `${decision.agent} ${decision.ordinal}`,
            cells: [
              `${title(decision.agent)}, ${decision.ordinal + 1}`,
              decision.author,
              number((decision.rejected ?? []).length),
            ],
          }))}
        />
      </Panel>
      {(usage ?? []).length > 0 && (
        <Panel wide>
          <Rows
            title="What the agents used"
            heads={['Agent', 'Models', 'Answers', 'Tokens in', 'Tokens out', 'US dollars']}
            rows={(usage ?? []).map(({ agent, models, usage: used }) => ({
              key: agent,
              cells: [
                title(agent),
                models.join(', '),
                number(used.answers),
                number(used.input_tokens),
                number(used.output_tokens),
                used.dollars === null || used.dollars === undefined ? 'price unknown' : dollars(used.dollars),
              ],
            }))}
          />
        </Panel>
      )}
    </SimpleGrid>
  );
}

function Reproduce({ job }: { job: string }) {
  const [reproduce, { isLoading }] = useReproduceMutation();
  const start = async () => {
    const answer = await reproduce(job);
    if (answer.error !== undefined) {
      const { title, text } = problemOf(answer.error as Failure);
      notifications.show({ title, message: text, color: 'red' });
      return;
    }
    notifications.show({
      title: 'The reproduction has started',
      message: 'It works on the stored decisions, so no model is asked.',
    });
  };
  return (
    <Button
      variant="default"
      leftSection={<IconRefresh size={16} aria-hidden />}
      loading={isLoading}
      onClick={() => void start()}
    >
      Reproduce
    </Button>
  );
}
