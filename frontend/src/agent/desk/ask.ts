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

/** So many granted questions are remembered, in case the dispatcher refuses one later. */
const GRANTED_MAX = 50

export function asking(send: (frame: AnyFrame) => boolean) {
  const waiters = new Map<string, Waiter>()
  /** Marks differ from page to page: a late refusal must not meet another question. */
  const page = Date.now().toString(36)
  const granted = new Map<string, AnyFrame>()
  let refs = 0

  function ask(frame: AnyFrame): Promise<AnyAnswer> {
    const mark = `${page}.${(refs += 1)}`
    return new Promise((ok, no) => {
      const timer = window.setTimeout(() => settle(mark, undefined, new Refused('line.silent', '', 1000)), ASK_MS_MAX)
      waiters.set(mark, { ok, no, timer })
      granted.set(mark, frame)
      if (granted.size > GRANTED_MAX) granted.delete(granted.keys().next().value!)
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

  /** What was asked under this mark, if it was not long ago. */
  const askedAs = (mark: string): AnyFrame | undefined => granted.get(mark)

  return { ask, settle, askedAs, dropAll }
}
