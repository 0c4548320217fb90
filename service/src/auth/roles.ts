/** What a token allows. `push` is for writing samples only; each of the others includes the one before it. */
export const roles = ['push', 'read', 'bench', 'admin'] as const;

export type Role = (typeof roles)[number];

/** Whether someone who has `role` may do what wants `wanted`. */
export function allows(role: Role, wanted: Role): boolean {
  if (role === 'admin' || role === wanted) return true;
  return role === 'bench' && wanted === 'read';
}
