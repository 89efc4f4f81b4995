import { Text, Title } from '@mantine/core';

import type { Explanation } from '../api/results';
import { FigureLink } from './FigureLink';
import classes from './results.module.css';

/** The explanation: every number in it was put in by code and opens its computation. */
export function Claims({ explanation }: { explanation: Explanation }) {
  return (
    <>
      <Text size="sm" c="dimmed" mb="sm">
        Written by: {explanation.author}. Every number was put in by code; press it to see how it was
        computed. ± is one standard error.
      </Text>
      <div className={classes.claims}>
        {explanation.sections.map(({ section, heading, claims }) => (
          <section key={section}>
            <Title order={3}>{heading}</Title>
            {claims.map((claim) => (
              <p key={claim.map(({ text }) => text).join('')}>
                {claim.map(({ text, figure }, index) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <FigureLink key={index} id={figure}>
                    {text}
                  </FigureLink>
                ))}
              </p>
            ))}
          </section>
        ))}
      </div>
    </>
  );
}
