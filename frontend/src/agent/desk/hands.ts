/** Keys for one hand, and keys that stay: a modifier that is pressed and let go holds for the next key. */
import { ACTIONS, type Chords } from './keys'

export type Hand = 'both' | 'left' | 'right'
export const HANDS: readonly Hand[] = ['both', 'left', 'right']

/** Every chord of a profile lies under one hand; with keys that stay, no two are held at once. */
export const PROFILES: Record<Hand, Chords> = {
  both: { ...ACTIONS },
  left: {
    search: 'Alt+F', next: 'Alt+S', previous: 'Alt+W', suggest1: 'Alt+1', suggest2: 'Alt+2', suggest3: 'Alt+3',
    transfer: 'Alt+T', close: 'Alt+E', status: 'Alt+Q', panel: 'Alt+R', note: 'Alt+D', accept: 'Alt+A',
    send: 'Alt+X', send_next: 'Alt+C', help: 'Alt+Z',
  },
  right: {
    search: 'Alt+K', next: 'Alt+ArrowDown', previous: 'Alt+ArrowUp', suggest1: 'Alt+8', suggest2: 'Alt+9', suggest3: 'Alt+0',
    transfer: 'Alt+P', close: 'Alt+L', status: 'Alt+O', panel: 'Alt+I', note: 'Alt+N', accept: 'Alt+U',
    send: 'Alt+M', send_next: 'Alt+J', help: '?',
  },
}

type Modifier = 'Alt' | 'Ctrl'
export interface Held {
  Alt: '' | 'once' | 'locked'
  Ctrl: '' | 'once' | 'locked'
}
export const NONE: Held = { Alt: '', Ctrl: '' }
const MODIFIERS: Record<string, Modifier> = { Alt: 'Alt', AltGraph: 'Alt', Control: 'Ctrl', Meta: 'Ctrl' }
export const modifierOf = (key: string): Modifier | null => MODIFIERS[key] ?? null

/** A modifier was pressed and let go with nothing between: held once, then for good, then not. */
export function tapped(held: Held, key: string): Held {
  const one = modifierOf(key)
  if (!one) return held
  const next = { '': 'once', once: 'locked', locked: '' } as const
  return { ...held, [one]: next[held[one]] }
}

/** After any other key: what was held once is let go. */
export const used = (held: Held): Held => ({ Alt: held.Alt === 'once' ? '' : held.Alt, Ctrl: held.Ctrl === 'once' ? '' : held.Ctrl })
