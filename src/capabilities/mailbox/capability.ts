import { defineCapability } from '../capability.ts';

/** Shows the mails that the server would have sent. Only in the demo. */
export const mailbox = defineCapability({
  name: 'mailbox',
  features: ({ mailbox }) => ({ mailbox }),
  isEnabled: ({ mailbox }) => mailbox,
  async addRoutes(app, parts) {
    (await import('./mailbox.routes.ts')).addMailbox(app, (limit) => parts().outbox.listKept(limit));
  },
});
