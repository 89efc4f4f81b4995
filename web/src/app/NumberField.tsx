import { NumberInput, type NumberInputProps } from '@mantine/core';
import { useState } from 'react';

import { decimalPoint } from '../numbers/format';

interface Props extends NumberInputProps {
  /** Whether an emptied field shows its last value again when it is left. */
  filled?: boolean;
}

/** A number in the user's form: `-15` in a field without negative values is 15, as drawdowns are often written. */
export function NumberField({ filled = false, min, ...props }: Props) {
  const [restored, setRestored] = useState(0);
  return (
    <NumberInput
      key={restored}
      {...props}
      {...(min === undefined ? {} : { min })}
      decimalSeparator={decimalPoint()}
      allowedDecimalSeparators={['.', ',']}
      allowNegative={typeof min !== 'number' || min < 0}
      clampBehavior="blur"
      onBlur={(event) => {
        if (filled && event.currentTarget.value === '') setRestored(restored + 1);
      }}
    />
  );
}
