export { attackerTimes, spoofedAddresses } from './attacker.ts';
export { type ContractCase, type CreateLimiter, limiterContract } from './limiter-contract.ts';
export { createManualClock, type ManualClock } from './manual-clock.ts';
export { type SimulatedOutcome, type SimulationOptions, simulateOverload } from './overload-simulation.ts';
