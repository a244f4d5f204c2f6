// The part of Go's templates that the door speaks.
import { expect, test } from 'vitest';
import { compileTemplate } from '../../../../src/doors/docker-machine/go-template.ts';

const data = { Name: 'box', Port: 22, On: true, None: null, List: ['a', 'b'], Map: { b: 1, a: { x: 'y' } } };

test.each([
  ['plain', 'plain'],
  ['{{.Name}}:{{ .Port }}', 'box:22'],
  ['{{.Map.a.x}} {{.On}} {{.List}}', 'y true [a b]'],
  ['{{.None}} {{.Nothing}} {{.Nothing.Deep}}', '<no value> <no value> <no value>'],
  ['{{.Map}}', 'map[a:map[x:y] b:1]'],
  ['{{json .Map}} {{.List | json}}', '{"a":{"x":"y"},"b":1} ["a","b"]'],
  ['{{prettyjson .Map.a}}', '{\n    "x": "y"\n}'],
  ['a {{- .Port -}} b', 'a22b'],
  ['{{"a\\tb"}}', 'a\tb'],
  [
    '{{json .}}',
    '{"List":["a","b"],"Map":{"a":{"x":"y"},"b":1},"Name":"box","None":null,"On":true,"Port":22}',
  ],
])('%s', (template, text) => {
  expect(compileTemplate(template)(data)).toBe(text);
});

test.each(['{{.Name', '{{if .On}}', '{{range .List}}{{end}}', '{{printf "%s" .Name}}', '{{}}'])(
  '%s is refused in words',
  (template) => {
    expect(() => compileTemplate(template)).toThrow(/^template parsing error: /);
  },
);
