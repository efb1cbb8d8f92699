/** What a process of the benchmark can be asked to do, by name. */
export type Tasks = Record<string, (...input: never[]) => unknown>;

export interface Question {
  readonly id: number;
  readonly name: string;
  readonly input: readonly unknown[];
}

export type Answer = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string });

/** Takes the questions of the process that started this one, and ends with it. */
export function offer(tasks: Tasks): void {
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ id, name, input }: Question) => {
    process.send?.(await answer(id, tasks[name] as (...input: readonly unknown[]) => unknown, input));
  });
}

async function answer(id: number, task: (...input: readonly unknown[]) => unknown, input: readonly unknown[]) {
  try {
    return { id, value: await task(...input) } satisfies Answer;
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) } satisfies Answer;
  }
}
