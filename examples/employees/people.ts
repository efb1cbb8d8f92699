import { demoHash, demoUsers } from '../../src/commands/demo-users.ts';

/** A row of the table. Dates are `YYYY-MM-DD`. */
export interface Employee {
  readonly emp_no: number;
  readonly birth_date: string;
  readonly first_name: string;
  readonly last_name: string;
  readonly gender: 'M' | 'F';
  readonly hire_date: string;
  readonly email: string;
  readonly password: string;
}

/** MySQL's sample database has this many employees. The smallest table still contains both users of the demo. */
export const mostPeople = 300_024;
export const fewestPeople = 1_000;

const firstNumber = 10_001;

/** The users of the demo, by number. They keep their names and addresses. */
const [beHai, pranav] = demoUsers;
const known = new Map<number, (typeof demoUsers)[number]>([
  [10_198, pranav],
  [500_222, beHai],
]);

const names = {
  F: [
    ...['Amina', 'Ana', 'Aroha', 'Aylin', 'Beatriz', 'Camille', 'Chiara', 'Dewi', 'Elena', 'Fatima', 'Freya', 'Hana'],
    ...['Ingrid', 'Isabel', 'Ivana', 'Jasmine', 'Kavya', 'Lan', 'Leila', 'Lucía', 'Maria', 'Mei', 'Nadia', 'Ngozi'],
    ...['Noor', 'Olga', 'Priya', 'Rania', 'Renée', 'Sakura', 'Siobhan', 'Sofia', 'Thandiwe', 'Yael', 'Zoë', 'Zuzana'],
  ],
  M: [
    ...['Ahmed', 'Alejandro', 'Andrei', 'Antonio', 'Arjun', 'Bao', 'Carlos', 'Chidi', 'Daniel', 'David', 'Emeka'],
    ...['Erik', 'François', 'Giorgos', 'Hiroshi', 'Hugo', 'Ibrahim', 'Ivan', 'Jan', 'João', 'José', 'Kofi', 'Liam'],
    ...['Luca', 'Mateo', 'Mehmet', 'Min-jun', 'Noah', 'Omar', 'Pavel', 'Rafael', 'Ravi', 'Samuel', 'Tomasz', 'Wei'],
  ],
  family: [
    ...[
      'Abebe',
      'Ahmadi',
      'Andersson',
      'Banda',
      'Bauer',
      'Bianchi',
      'Chen',
      'Cohen',
      'Costa',
      'Dang',
      'Diallo',
      'Dubois',
    ],
    ...[
      'Evans',
      'Fernández',
      'Fischer',
      'García',
      'Gupta',
      'Haddad',
      'Hansen',
      'Horvat',
      'Ivanova',
      'Jansen',
      'Johnson',
    ],
    ...[
      'Kaplan',
      'Kaya',
      'Khan',
      'Kim',
      'Kovács',
      'Kowalski',
      'Kumar',
      'Laine',
      'Le',
      'Levi',
      'Lopes',
      'Mbeki',
      'Mendoza',
    ],
    ...[
      'Moreau',
      'Mwangi',
      'Nakamura',
      'Ndlovu',
      'Nielsen',
      'Novák',
      "O'Connor",
      'Okafor',
      'Oliveira',
      'Osei',
      'Papadopoulos',
    ],
    ...[
      'Park',
      'Patel',
      'Pereira',
      'Petrov',
      'Popescu',
      'Reyes',
      'Rossi',
      'Santos',
      'Sato',
      'Schmidt',
      'Silva',
      'Singh',
    ],
    ...[
      'Smith',
      'Suzuki',
      'Tanaka',
      'Tran',
      'Tui',
      'Van Dijk',
      'Wang',
      'Williams',
      'Wójcik',
      'Yamamoto',
      'Yilmaz',
      'Zhang',
    ],
  ],
} as const;

/** Invents this many people. They are the same in each run. */
export function* inventPeople(count: number): Generator<Employee> {
  for (let number = firstNumber; number < firstNumber + count - 1; number += 1) yield inventPerson(number);
  yield inventPerson(500_222);
}

function inventPerson(number: number): Employee {
  const person = known.get(number);
  const gender = person === undefined && pick(number, 'gender', 2) === 0 ? 'F' : 'M';
  const firstName = person?.firstName ?? nameOf(number, gender);
  const lastName = person?.lastName ?? nameOf(number, 'family');
  return {
    emp_no: number,
    birth_date: dayAfter(1952, pick(number, 'birth', 4_748)),
    first_name: firstName,
    last_name: lastName,
    gender,
    hire_date: dayAfter(1985, pick(number, 'hire', 5_479)),
    email: person?.username ?? `${addressPart(firstName)}.${addressPart(lastName)}.${number}@example.com`,
    password: demoHash,
  };
}

function nameOf(number: number, list: keyof typeof names): string {
  return names[list][pick(number, list, names[list].length)] ?? '';
}

const purposes = ['gender', 'F', 'M', 'family', 'birth', 'hire'] as const;

/** Gives a pseudo-random number below `count`, the same in each run (the finalizer of MurmurHash3). */
function pick(number: number, purpose: (typeof purposes)[number], count: number): number {
  let hash = number * purposes.length + purposes.indexOf(purpose);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}

function dayAfter(year: number, days: number): string {
  return new Date(Date.UTC(year, 0, 1 + days)).toISOString().slice(0, 10);
}

/** Keeps only letters, without accents. */
function addressPart(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/[^a-z]/gi, '')
    .toLowerCase();
}
