import type { SeededRandom } from '../../durability/seeded-random.ts';
import type { AttackKind, Subject } from '../attack.ts';
import { framedAttack, queryAuthorization, type Wish } from '../request.ts';

const version = 'Version=2011-06-15';
const refused: Wish = { expects: 'refused', types: ['InvalidAction', 'ValidationError'] };

/** Forms of the query protocol, for the service that is asked who somebody is. */
export function formAttacks(subject: Subject): AttackKind[] {
  const kind = (name: string, weight: number, draw: (random: SeededRandom) => string): AttackKind => ({
    name: `forms: ${name}`,
    weight,
    make: (random) => {
      const body = Buffer.from(draw(random), 'latin1');
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'x-amz-target': undefined,
        authorization: queryAuthorization,
      };
      return framedAttack(subject, { operation: '', encoding: 'json', body, headers }, random, refused);
    },
  });
  const garbage = ['&', '=', '%', '%zz', '%00', '%c3', '\xff', '+', 'Action', 'Version', '__proto__', ';', '<', ']]>'];
  return [
    kind('nothing but garbage', 3, (random) =>
      Array.from({ length: random.int(1, 200) }, () => random.pick(garbage)).join(''),
    ),
    kind('an action that is not there', 3, (random) => {
      const name = random.pick([
        '__proto__',
        'constructor',
        'toString',
        'getCallerIdentity',
        '%00',
        '<a/>',
        '\xe9',
        '',
      ]);
      return `Action=${name}&${version}`;
    }),
    kind('another version', 1, (random) => `Action=GetCallerIdentity&Version=${random.pick(['', '1', '2011-06-16'])}`),
    kind(
      'a long form',
      1,
      (random) => `Action=GetCallerIdentity&${version}${'&a=b'.repeat(random.int(20_000, 40_000))}`,
    ),
  ];
}
