// What a person does between the application's redirect out and the redirect back: sign in, give permission.
import { readForm, sendHtml } from './http.mjs';
import { consentPage, failurePage, loginPage } from './html.mjs';
import { provider } from './provider.mjs';
import { settingsFor } from './settings.mjs';
import { findSubject, findUser } from './users.mjs';

const DECLINED = { error: 'access_denied', error_description: 'AADSTS65004: User declined to consent to access the app.' };

async function grantPermission({ grantId, params }, subject) {
  const known = grantId && (await provider.Grant.find(grantId));
  const grant = known || new provider.Grant({ accountId: subject, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return { consent: { grantId: await grant.save() } };
}

// Each step gives either the result that ends it, or the page to show with its status.
async function consentStep(interaction, form) {
  const user = findSubject(interaction.session.accountId);
  if (form.action === 'accept' || settingsFor(user?.address).consent === 'auto') {
    return { result: await grantPermission(interaction, interaction.session.accountId) };
  }
  const client = await provider.Client.find(interaction.params.client_id);
  const page = { application: client.clientName ?? client.clientId, address: user?.address, scopes: interaction.params.scope.split(' ') };
  return { status: 200, html: consentPage(page) };
}

function loginStep(interaction, form) {
  const user = findUser(form.login);
  if (user && user.password === form.password) {
    return { result: { login: { accountId: user.subject, amr: ['pwd'] }, select_account: {} } };
  }
  const refused = form.action === 'sign-in';
  return { status: refused ? 401 : 200, html: loginPage({ login: form.login ?? interaction.params.login_hint, refused }) };
}

async function step(interaction, form) {
  if (form.action === 'cancel') return { result: DECLINED };
  return interaction.prompt.name === 'consent' ? consentStep(interaction, form) : loginStep(interaction, form);
}

/** Serves `/interaction/ID`. */
export async function serveInteraction(request, response) {
  try {
    const interaction = await provider.interactionDetails(request, response);
    const form = request.method === 'POST' ? await readForm(request) : {};
    const { result, status, html } = await step(interaction, form);
    if (result) await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    else sendHtml(response, status, html);
  } catch (error) {
    sendHtml(response, 400, failurePage({ error: error.error ?? 'invalid_request', error_description: error.error_description ?? error.message }));
  }
}
