import { describe, expect, test } from '@jest/globals'
import {
  CircuitBreaker,
  readCircuit,
} from '../../../../gateway-runtime/src/data-plane/upstreams/circuit-breaker.ts'
import { newTargetState } from '../../../../gateway-runtime/src/data-plane/upstreams/target-state.ts'

const settings = { enabled: true, consecutive_failures: 3, open_duration: 1_000 }

function circuits(...of: object[]) {
  let now = 5_000
  const memory = newTargetState()
  const workers = of.map((each) => new CircuitBreaker({ ...settings, ...each }, memory, () => now))
  return {
    workers,
    pass: (milliseconds: number) => {
      now += milliseconds
    },
    state: () => readCircuit(memory),
  }
}

function open(circuit: CircuitBreaker) {
  return [circuit.onFailure(), circuit.onFailure(), circuit.onFailure()]
}

describe('a circuit', () => {
  test('opens with so many failures in a row, over all workers, and says so once', () => {
    const { workers, state } = circuits({}, {})
    const [one, other] = workers as [CircuitBreaker, CircuitBreaker]
    expect([one.onFailure(), other.onFailure(), one.onFailure(), other.onFailure()]).toEqual([
      false,
      false,
      true,
      false,
    ])
    expect(one.tryPass()).toBe(false)
    expect(other.isBlocked).toBe(true)
    expect(state()).toEqual({ state: 'open', opened: 1 })
  })

  test('a success between failures keeps it closed', () => {
    const { workers, state } = circuits({})
    const [circuit] = workers as [CircuitBreaker]
    for (let round = 0; round < 5; round++) {
      circuit.onFailure()
      circuit.onFailure()
      circuit.onSuccess()
    }
    expect(circuit.tryPass()).toBe(true)
    expect(state().state).toBe('closed')
  })

  test('after its time one request probes; its success closes', () => {
    const { workers, pass, state } = circuits({}, {})
    const [one, other] = workers as [CircuitBreaker, CircuitBreaker]
    open(one)
    pass(999)
    expect(one.tryPass()).toBe(false)
    pass(1)
    expect(other.isBlocked).toBe(false)
    expect([other.tryPass(), one.tryPass(), other.tryPass()]).toEqual([true, false, false])
    expect(state().state).toBe('half-open')
    other.onSuccess()
    expect(one.tryPass()).toBe(true)
    expect(state().state).toBe('closed')
  })

  test('a probe that fails opens it again, for as long', () => {
    const { workers, pass, state } = circuits({})
    const [circuit] = workers as [CircuitBreaker]
    open(circuit)
    pass(1_000)
    expect(circuit.tryPass()).toBe(true)
    expect(circuit.onFailure()).toBe(true)
    pass(999)
    expect(circuit.tryPass()).toBe(false)
    expect(state()).toEqual({ state: 'open', opened: 2 })
  })

  test('a probe of which nothing is heard is followed by another', () => {
    const { workers, pass } = circuits({})
    const [circuit] = workers as [CircuitBreaker]
    open(circuit)
    pass(1_000)
    expect([circuit.tryPass(), circuit.tryPass()]).toEqual([true, false])
    pass(1_000)
    expect(circuit.tryPass()).toBe(true)
  })

  test('an answer to a request from before does not close it', () => {
    const { workers } = circuits({})
    const [circuit] = workers as [CircuitBreaker]
    open(circuit)
    circuit.onSuccess()
    expect(circuit.tryPass()).toBe(false)
  })

  test('switched off, it never opens', () => {
    const { workers } = circuits({ enabled: false })
    const [circuit] = workers as [CircuitBreaker]
    expect(open(circuit)).toEqual([false, false, false])
    expect(circuit.tryPass()).toBe(true)
  })
})
