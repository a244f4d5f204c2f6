// What EC2 writes about instances, read whole or not at all.
import { describe, expect, test } from 'vitest';
import { parseXml } from '../../../../src/adapters/aws/parse-xml.ts';
import { readInstancePage } from '../../../../src/adapters/aws/read-instances.ts';
import { answerOf, instanceXml, listAnswer, runAnswer } from './ec2-server.ts';

const xmlOf = (answer: { body?: string }) => answer.body ?? '';

describe('parseXml', () => {
  test('reads elements, text, entities, CDATA and empty elements', () => {
    const root = parseXml(
      '<?xml version="1.0"?><!-- c --><a x="1>"><b>1 &lt; &#50;&#x33; &amp;c</b><d/><e><![CDATA[<&]]></e></a>'.replace(
        '1>',
        '1',
      ),
    );
    expect(root.name).toBe('a');
    expect(root.children.map((child) => [child.name, child.text])).toEqual([
      ['b', '1 < 23 &c'],
      ['d', ''],
      ['e', '<&'],
    ]);
  });

  test.each([
    ['nothing', ''],
    ['text only', 'no'],
    ['a cut document', '<a><b>1</b>'],
    ['a cut tag', '<a><b'],
    ['crossed tags', '<a><b></a></b>'],
    ['two roots', '<a/><b/>'],
    ['a closing tag alone', '</a>'],
    ['text beside the root', '<a/>x'],
    ['a document type', '<!DOCTYPE html><html></html>'],
    ['a nameless tag', '<a><></></a>'],
    ['a bottomless one', '<a>'.repeat(100) + '</a>'.repeat(100)],
  ])('refuses %s', (_what, text) => {
    expect(() => parseXml(text)).toThrow(/not readable as XML/);
  });
});

describe('readInstancePage', () => {
  test('reads an instance of a listing', () => {
    const xml = xmlOf(
      listAnswer(
        [
          instanceXml('i-1', {
            state: 'shutting-down',
            tags: { Name: 'a &amp; b', empty: '' },
            inner:
              '<ipAddress>203.0.113.4</ipAddress><instanceLifecycle>spot</instanceLifecycle><stateReason><code>Server.SpotInstanceTermination</code><message>x</message></stateReason>',
          }),
        ],
        'more',
      ),
    );
    expect(readInstancePage(xml)).toEqual({
      instances: [
        {
          id: 'i-1',
          state: 'shutting-down',
          stateReason: 'Server.SpotInstanceTermination',
          type: 'm5.large',
          zone: 'eu-central-1a',
          market: 'spot',
          imageId: 'ami-1',
          privateAddress: '10.0.0.9',
          publicAddress: '203.0.113.4',
          launchedAt: Date.parse('2026-11-22T10:00:00Z'),
          tags: { Name: 'a & b', empty: '' },
        },
      ],
      nextToken: 'more',
    });
  });

  test('an empty list that EC2 states is empty', () => {
    expect(readInstancePage(xmlOf(listAnswer([])))).toEqual({ instances: [], nextToken: null });
    expect(readInstancePage(xmlOf(answerOf('DescribeInstances', '<reservationSet/>')))).toEqual({
      instances: [],
      nextToken: null,
    });
  });

  test.each([
    ['a listing without its list', xmlOf(answerOf('DescribeInstances', ''))],
    ['a launch without its list', xmlOf(answerOf('RunInstances', ''))],
    ['another answer', xmlOf(answerOf('DescribeImages', '<imagesSet/>'))],
    ['a page of a proxy', '<html><body>502</body></html>'],
    [
      'an instance without id',
      xmlOf(listAnswer(['<item><instanceState><name>running</name></instanceState></item>'])),
    ],
    ['an instance without state', xmlOf(listAnswer(['<item><instanceId>i-1</instanceId></item>']))],
  ])('refuses %s', (_what, xml) => {
    expect(() => readInstancePage(xml)).toThrow();
  });

  test('a state that nobody knows yet counts as alive', () => {
    expect(
      readInstancePage(xmlOf(runAnswer(instanceXml('i-1', { state: 'pondering' })))).instances[0]?.state,
    ).toBe('running');
  });

  test('what is no address is none', () => {
    const xml = xmlOf(runAnswer(instanceXml('i-1', { inner: '<ipAddress>$(reboot)</ipAddress>' })));
    expect(readInstancePage(xml).instances[0]?.publicAddress).toBeNull();
  });
});
