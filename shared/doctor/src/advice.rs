//! What to do about a cause, and who must do it.

/// The advice for a cause.
pub(crate) fn of(code: &str) -> &'static str {
    match code {
        "address_invalid" => "Correct the address and run doctor again.",
        "provider_unsupported" => "Follow what the sentence says, or connect another mailbox.",
        "servers_not_found" | "discovery_busy" => {
            "Name the servers yourself with --imap and --smtp; the provider's help pages have them."
        }
        "name_not_found" => {
            "Compare the server's name with the provider's help pages. If it is right, whoever runs the domain must publish \
             an address for it in DNS."
        }
        "name_service_failed" => {
            "The operator of this machine must see that its name servers answer (/etc/resolv.conf), then run doctor again."
        }
        "denied_by_policy" => {
            "If the server really lies in your own network, the operator of Postroom must allow that network with \
             POSTROOM_ALLOW_NETWORKS; otherwise use the server's public name."
        }
        "refused" => {
            "Check the port: 993 or 143 for IMAP, 465 or 587 for SMTP. If it is right, whoever runs the server must start \
             the service there, or let this machine in."
        }
        "timed_out" | "network" => {
            "The operator of this machine must see that a firewall lets it connect to this host and port; if it does, ask \
             whoever runs the server."
        }
        "certificate_expired" => "Whoever runs the server must renew its certificate.",
        "certificate_not_yet_valid" => {
            "Check the clock of this machine. If it is right, whoever runs the server must replace the certificate."
        }
        "certificate_wrong_name" => {
            "Use a server name that the certificate is for, or have whoever runs the server get one for this name."
        }
        "certificate_unknown_issuer" => {
            "If the authority is your own, the operator of Postroom must name its certificate with POSTROOM_CA_FILE. \
             Otherwise whoever runs the server must install a certificate of a public authority, intermediates included."
        }
        "certificate_revoked" => "Whoever runs the server must replace its certificate at once.",
        "not_tls" | "closed_during_handshake" | "tls" => {
            "Port and encryption do not fit: TLS from the start goes with 993 and 465, STARTTLS with 143 and 587."
        }
        "starttls_not_offered" => {
            "Use TLS from the start (993, 465), or have whoever runs the server switch STARTTLS on. Without encryption \
             nothing is ever sent."
        }
        "injected_before_tls" | "already_signed_in" => {
            "Do not sign in over this network: somebody may be changing the connection. Tell whoever runs the server."
        }
        "not_imap" | "not_smtp" => {
            "Check server name and port: something else than the mail server answers there."
        }
        "credentials_refused" => {
            "Check user name and password by signing in to the provider's web mail. With two-step verification most \
             providers want an app password here."
        }
        "sign_in_not_offered" | "auth_not_offered" => {
            "Use another way to sign in (OAuth 2.0 instead of a password, or the reverse), or have the mail administrator \
             allow PLAIN or LOGIN over TLS."
        }
        "smtp_auth_disabled" => {
            "The administrator of the mail organisation must switch SMTP AUTH on for this mailbox. Until then it receives \
             only."
        }
        "mailbox_unavailable" => {
            "See that IMAP is switched on for the mailbox and that the right person signed in; for a shared mailbox its \
             administrator must give access."
        }
        "credential_unusable" => "Enter user name and password again, without line breaks.",
        "token_expired" => "Connect the account again, or hand in a fresh access token.",
        _ => "Run doctor again in a few minutes. If it stays, give this report to whoever runs the server.",
    }
}
