/** Questions to the hub: a frame with a `ref` and the answer that comes back with it. */
import type { AnyAnswer, AnyFrame } from '../../shared/protocol'

export class Refused extends Error {
  constructor(
    public code: string,
    public detail: string,
    public retry: 'never' | 'reauth' | number,
  ) {
    super(detail || code)
  }
}

type Waiter = { ok: (answer: AnyAnswer) => void; no: (error: Refused) => void; timer: number }

const ASK_MS_MAX = 10_000

export function asking(send: (frame: AnyFrame) => boolean) {
  const waiters = new Map<string, Waiter>()
  let refs = 0

  function ask(frame: AnyFrame): Promise<AnyAnswer> {
    const mark = `d${(refs += 1)}`
    return new Promise((ok, no) => {
      const timer = window.setTimeout(() => settle(mark, undefined, new Refused('line.silent', '', 1000)), ASK_MS_MAX)
      waiters.set(mark, { ok, no, timer })
      if (!send({ ...frame, ref: mark } as AnyFrame)) settle(mark, undefined, new Refused('line.down', '', 1000))
    })
  }

  /** Whether somebody waited under this mark. */
  function settle(mark: string, answer?: AnyAnswer, error?: Refused): boolean {
    const waiter = waiters.get(mark)
    if (!waiter) return false
    window.clearTimeout(waiter.timer)
    waiters.delete(mark)
    if (error) waiter.no(error)
    else waiter.ok(answer!)
    return true
  }

  function dropAll(): void {
    for (const mark of [...waiters.keys()]) settle(mark, undefined, new Refused('line.down', '', 1000))
  }

  return { ask, settle, dropAll }
}
