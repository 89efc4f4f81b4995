import { MultiSelect, Select, TagsInput, TextInput } from '@mantine/core';

import type { Field } from '../api/catalogue';
import { choiceName, errorOf, labelOf, meaningOf, scaleOf, suffixOf, textOf, type Option } from './fields';
import { NumberField } from './NumberField';

interface Props {
  field: Field;
  label?: string;
  /** Undefined where the service's default holds. */
  value: Option | undefined;
  error?: string | undefined;
  /** What stands in it where neither a value nor a default is. */
  empty?: string;
  change: (value: Option | undefined) => void;
}

/** A field that may stay empty: it then has the default of the service, which stands in it in grey. */
export function OptionInput({
  field,
  label = labelOf(field.name),
  value,
  error,
  empty = 'None',
  change,
}: Props) {
  const standard =
    field.default === null || field.default === undefined ? empty : textOf(field.default, field);
  const common = {
    label,
    description: meaningOf(field) || undefined,
    error: errorOf(error, value, field),
  };
  const options = (field.choices ?? []).map((name) => ({
    value: String(name),
    label: choiceName(name),
  }));
  const scale = scaleOf(field);
  const typed = (text: string) => Number((Number.parseFloat(text) / scale).toPrecision(12));
  if (field.many) {
    const chosen = Array.isArray(value) ? value : [];
    const put = (values: (string | number)[]) => change(values.length === 0 ? undefined : values);
    const placeholder = chosen.length === 0 ? standard : '';
    if (options.length > 0) {
      return (
        <MultiSelect
          {...common}
          data={options}
          placeholder={placeholder}
          value={chosen.map(String)}
          onChange={put}
        />
      );
    }
    return (
      <TagsInput
        {...common}
        placeholder={placeholder}
        value={chosen.map((each) => textOf(each, { ...field, many: false }))}
        onChange={(texts) => put([...new Set(texts.map(typed).filter(Number.isFinite))])}
      />
    );
  }
  if (field.type === 'choice') {
    return (
      <Select
        {...common}
        data={options}
        clearable
        placeholder={standard}
        value={value === undefined ? null : String(value)}
        onChange={(chosen) =>
          change(
            chosen === null ? undefined : typeof field.choices?.[0] === 'number' ? Number(chosen) : chosen,
          )
        }
      />
    );
  }
  if (field.type === 'text') {
    return (
      <TextInput
        {...common}
        type={field.name.endsWith('_day') ? 'date' : 'text'}
        placeholder={standard}
        value={typeof value === 'string' ? value : ''}
        onChange={(event) => change(event.currentTarget.value || undefined)}
      />
    );
  }
  return (
    <NumberField
      {...common}
      placeholder={standard}
      value={typeof value === 'number' ? Number((value * scale).toPrecision(12)) : ''}
      min={typeof field.minimum === 'number' ? field.minimum * scale : undefined}
      max={typeof field.maximum === 'number' ? field.maximum * scale : undefined}
      decimalScale={field.type === 'integer' ? 0 : 3}
      suffix={suffixOf(field)}
      onChange={(next) =>
        change(typeof next === 'number' ? Number((next / scale).toPrecision(12)) : undefined)
      }
    />
  );
}
