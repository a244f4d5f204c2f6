// Secrets of people's own in SSM's parameter store, read when they are used: the GitLab token of the job queue.
// Must not log or repeat a value. Trap: a SecureString under a key of one's own needs kms:Decrypt beside ssm:GetParameter.
import { type CloudSite, Secret } from '../../domain/config.ts';
import { HostlerError } from '../../domain/error.ts';
import { outcomeOf } from '../../domain/outcome.ts';
import type { SecretParameters } from '../../ports/queue.ts';
import { type CallDeps, createSiteCalls, type SiteCalls } from './site-calls.ts';

const ACTION = 'GetParameter';

function inWords(site: CloudSite, name: string, error: unknown): HostlerError {
  const outcome = outcomeOf(error);
  const where = `ssm:${name} in ${site.region}`;
  const said = outcome === null ? 'it holds no single word of text' : `${outcome.code}: ${outcome.message}`;
  const arn = `arn:aws:ssm:${site.region}:*:parameter/${name.replace(/^\//, '')}`;
  const cure =
    outcome?.kind === 'denied'
      ? `; hostler needs ssm:GetParameter (and kms:Decrypt for a key of your own) on ${arn}`
      : '';
  return new HostlerError('cloud-refused', `the secret ${where} cannot be read: ${said}${cure}`, {
    where,
    ...(outcome !== null && { cause: outcome }),
  });
}

/** The port over SSM; `close` ends kept connections. */
export function createSecretParameters(deps: CallDeps): SecretParameters & { close(): void } {
  const sites = new Map<string, SiteCalls>();
  const at = (site: CloudSite): SiteCalls => {
    const calls = sites.get(site.key) ?? createSiteCalls(site, deps);
    sites.set(site.key, calls);
    calls.use(site);
    return calls;
  };
  return {
    async read({ site, name }, signal) {
      const { GetParameterCommand } = await import('@aws-sdk/client-ssm');
      const command = new GetParameterCommand({ Name: name, WithDecryption: true });
      try {
        const answer = await at(site).call({ action: ACTION, signal }, (clients, limit) =>
          clients.ssm.send(command, { abortSignal: limit }),
        );
        const value = answer.Parameter?.Value?.trim() ?? '';
        if (!/^[\x21-\x7e]+$/.test(value)) throw inWords(site, name, null);
        return new Secret(value);
      } catch (error) {
        throw error instanceof HostlerError && outcomeOf(error) === null ? error : inWords(site, name, error);
      }
    },
    close() {
      for (const site of sites.values()) site.close();
    },
  };
}
