import { expect, test } from 'vitest';
import { expandTemplate, explainTemplate } from '../src/rules/expand-template.ts';

const data = {
  labels: { job: 'shop', instance: 'a:80' },
  value: 1234.6,
  externalUrl: 'http://weir.example/x',
  query: (text: string) =>
    text === 'none'
      ? []
      : [
          { labels: { instance: 'b:80', job: 'shop' }, value: 2 },
          { labels: { instance: 'a:80', job: 'shop' }, value: 0.5 },
        ],
};

test.each([
  ['{{ $value }}', '1234.6'],
  ['{{ .Value | humanize }}', '1.235k'],
  ['{{ humanizeDuration $value }}', '20m 34s'],
  [
    '{{ humanizeDuration 0.0025 }} {{ humanizeDuration 90061 }} {{ humanizeDuration 0 }}',
    '2.5ms 1d 1h 1m 1s 0s',
  ],
  ['{{ $value | humanizePercentage }}', '1.235e+05%'],
  ['{{ humanize1024 2048 }} {{ humanize 0.0012 }}', '2Ki 1.2m'],
  ['{{ humanizeTimestamp 1435065584.128 }}', '2015-06-23 13:19:44.128 +0000 UTC'],
  ['{{ humanizeTimestamp 1435065580 }}', '2015-06-23 13:19:40 +0000 UTC'],
  ['{{ printf "%.2f" $value }} of {{ $labels.job }}', '1234.60 of shop'],
  ['{{ printf "%5.1f|%-6s|%05d|%q|%t|%%" 1.25 "ab" 42 "x" true }}', '  1.3|ab    |00042|"x"|true|%'],
  ['{{ $labels.missing }}', ''],
  ['{{ .Labels.job | toUpper }} {{ title "a b" }}', 'SHOP A B'],
  ['{{ if gt $value 1000.0 }}many{{ else }}few{{ end }}', 'many'],
  ['{{ if eq $labels.job "a" }}a{{ else if eq $labels.job "b" "shop" }}b{{ else }}c{{ end }}', 'b'],
  ['{{ if and (gt $value 1.0) (not (eq $labels.job "x")) }}yes{{ end }}', 'yes'],
  ['{{ range query "up" }}{{ .Labels.instance }}={{ .Value }};{{ end }}', 'b:80=2;a:80=0.5;'],
  [
    '{{ range $i, $s := query "up" | sortByLabel "instance" }}{{ $i }}:{{ $s | label "instance" }} {{ end }}',
    '0:a:80 1:b:80 ',
  ],
  ['{{ range query "none" }}x{{ else }}nothing{{ end }}', 'nothing'],
  ['{{ with query "up" }}{{ . | first | value | humanize }}{{ end }}', '2'],
  ['{{ with query "none" }}x{{ else }}nobody{{ end }}', 'nobody'],
  ['{{ (query "up" | first).Value }}', '2'],
  ['{{ $n := len (query "up") }}{{ $n = 7 }}{{ $n }}', '7'],
  ['{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ end }}{{ $x }}', 'b'],
  ['a {{- /* nothing */ -}} b', 'ab'],
  ['a {{- " x " -}} b', 'a x b'],
  ['{{ `back "quoted"` }}', 'back "quoted"'],
  ['{{ reReplaceAll "(.*):80" "$1" $labels.instance }} {{ match "^s" $labels.job }}', 'a true'],
  ['{{ stripPort $labels.instance }} {{ index .Labels "job" }}', 'a shop'],
  ['{{ externalURL }} {{ pathPrefix }} {{ urlQueryEscape "a b&c" }}', 'http://weir.example/x /x a+b%26c'],
  ['{{ parseDuration "1h30m" }}', '5400'],
  ['{{ query "none" | first }}', '<error expanding template: first() called on vector with no elements>'],
  ['{{ range $k, $v := .Labels }}{{ $k }}={{ $v }} {{ end }}', 'instance=a:80 job=shop '],
])('the template %s becomes %s', (template, text) => {
  expect(expandTemplate(template, data)).toBe(text);
});

test.each([
  ['{{ $value', 'not closed'],
  ['{{ unknown 1 }}', 'function "unknown" is not defined or not supported'],
  ['{{ $other }}', 'undefined variable "$other"'],
  ['{{ if true }}x', '{{if}} has no {{end}}'],
  ['{{ end }}', 'unexpected {{end}}'],
  ['{{ define "x" }}{{ end }}', '{{define}} is not supported'],
  ['{{ template "x" }}', '{{template}} is not supported'],
  ['{{ }}', 'expected a value'],
  ['{{ $value | }}', 'expected a value'],
  ['{{ ($value }}', 'expected a value'],
  ['{{ $value ! }}', 'cannot read'],
  [`${'{{ if true }}'.repeat(60)}`, 'nested deeper'],
])('the template %s is refused when it is loaded: %s', (template, reason) => {
  expect(explainTemplate(template)).toContain(reason);
});
