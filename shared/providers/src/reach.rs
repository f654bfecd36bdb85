//! Who may use a registration, and for which mailboxes.

use postroom_events::TenantId;

/// Who may use a registration, and for which mailboxes. By default everybody, for every mailbox: it is the provider
/// then that asks the owner of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Tenants of this Postroom; `None`: all of them.
    pub tenants: Option<Vec<TenantId>>,
    /// Domains of mailboxes, in lower case; `None`: all of them.
    pub domains: Option<Vec<String>>,
}

impl Reach {
    /// Whether `tenant` may use it for the mailbox `address`. A subdomain has to be named by itself.
    #[must_use]
    pub fn covers(&self, tenant: TenantId, address: &str) -> bool {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        let named = |domains: &Vec<String>| {
            domain.is_some_and(|domain| domains.iter().any(|own| own.eq_ignore_ascii_case(domain)))
        };
        self.tenants
            .as_ref()
            .is_none_or(|tenants| tenants.contains(&tenant))
            && self.domains.as_ref().is_none_or(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_covered() {
        let (ours, theirs) = (TenantId::generate(), TenantId::generate());
        let reach = Reach {
            tenants: Some(vec![ours]),
            domains: Some(vec!["contoso.example".to_owned()]),
        };
        assert!(reach.covers(ours, "Ada@Contoso.Example"));
        for (tenant, address) in [
            (theirs, "ada@contoso.example"),
            (ours, "ada@other.example"),
            (ours, "ada@sub.contoso.example"),
            (ours, "ada@evilcontoso.example"),
            (ours, "ada@contoso.example@other.example"),
            (ours, "contoso.example"),
            (ours, ""),
        ] {
            assert!(!reach.covers(tenant, address), "{address}");
        }
        assert!(Reach::default().covers(theirs, "anybody@anywhere.example"));
    }
}
