import { describe, expect, it } from 'vitest'
import { HANDS, modifierOf, NONE, PROFILES, tapped, used } from './hands'
import { actionOf, ACTIONS, mayBe } from './keys'

describe('keys for one hand', () => {
  const UNDER = {
    left: new Set('QWERTASDFGZXCVB12345'),
    right: new Set(['ArrowDown', 'ArrowUp', '?', ...'YUIOPHJKLNM67890']),
  }
  it('every profile has one chord for each action, no two alike, all allowed and under the hand', () => {
    for (const hand of HANDS) {
      const chords = Object.values(PROFILES[hand])
      expect(Object.keys(PROFILES[hand]).sort()).toEqual(Object.keys(ACTIONS).sort())
      expect(new Set(chords).size).toBe(chords.length)
      expect(chords.filter((chord) => !mayBe(chord))).toEqual([])
      if (hand !== 'both') expect(chords.map((chord) => chord.split('+').at(-1)!).filter((key) => !UNDER[hand].has(key))).toEqual([])
    }
  })
  it('a modifier let go holds for one key, tapped twice for good, tapped again not', () => {
    const once = tapped(NONE, 'Alt')
    expect(once.Alt).toBe('once')
    expect(used(once)).toEqual(NONE)
    const locked = tapped(once, 'AltGraph')
    expect(used(locked).Alt).toBe('locked')
    expect(tapped(locked, 'Alt')).toEqual(NONE)
    expect(tapped(NONE, 'x')).toBe(NONE)
    expect(modifierOf('Control')).toBe('Ctrl')
  })
  it('a held modifier makes a letter a chord while somebody types', () => {
    const press = { key: 's', code: 'KeyS', ctrlKey: false, metaKey: false, altKey: true, shiftKey: false }
    expect(actionOf(press, PROFILES.left, true)).toBe('next')
  })
})
