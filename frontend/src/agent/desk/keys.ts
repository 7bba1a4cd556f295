/** The keyboard: what each action's chord is, how a press becomes an action. Letters alone are never a shortcut. */

export const ACTIONS = {
  search: 'Ctrl+K',
  next: 'Alt+ArrowDown',
  previous: 'Alt+ArrowUp',
  suggest1: 'Alt+1',
  suggest2: 'Alt+2',
  suggest3: 'Alt+3',
  transfer: 'Alt+T',
  close: 'Alt+E',
  status: 'Alt+S',
  panel: 'Alt+R',
  note: 'Alt+N',
  accept: 'Alt+A',
  send: 'Alt+Enter',
  send_next: 'Ctrl+Enter',
  help: '?',
} as const

export type Action = keyof typeof ACTIONS
export type Chords = Record<Action, string>

interface Press {
  key: string
  code: string
  ctrlKey: boolean
  metaKey: boolean
  altKey: boolean
  shiftKey: boolean
}

/** A press as a chord: "Alt+T", "Ctrl+Enter", "?". With Alt the physical key counts: macOS types other signs then. */
export function chordOf(press: Press): string {
  const physical = /^(?:Key([A-Z])|Digit(\d))$/.exec(press.code)
  let key = press.key
  if ((press.altKey || press.ctrlKey || press.metaKey) && physical) key = physical[1] ?? physical[2]!
  if (key.length === 1) key = key.toUpperCase()
  const held = [press.ctrlKey || press.metaKey ? 'Ctrl' : '', press.altKey ? 'Alt' : '']
  if (press.shiftKey && key.length > 1) held.push('Shift')
  return [...held.filter(Boolean), key].join('+')
}

/** The action a press means; while somebody types, only chords with Alt or Ctrl count. */
export function actionOf(press: Press, chords: Chords, typing: boolean): Action | null {
  const chord = chordOf(press)
  if (typing && !/^(?:Ctrl|Alt)\+/.test(chord)) return null
  for (const action of Object.keys(chords) as Action[]) if (chords[action] === chord) return action
  return null
}

/** Whether a chord may be given to an action: with Alt or Ctrl, or a sign that is no letter or digit. */
export function mayBe(chord: string): boolean {
  return /^(?:Ctrl\+)?(?:Alt\+)?(?:Shift\+)?[^+]+$/.test(chord) && (/^(?:Ctrl|Alt)\+/.test(chord) || /^[^\p{L}\p{N}]$/u.test(chord))
}

/** Shown to people: arrows as arrows, ⌘ where that is the key. */
export function shown(chord: string): string {
  return chord.replace('ArrowDown', '↓').replace('ArrowUp', '↑').replace(/\+/g, ' ')
}
