"""What the reasons about others who widen a principal's rights mean, what to do next, and who acts."""

from typing import Final

from searchaccess.api.conditions.meaning import NOTHING, ReasonDoc, Who
from searchaccess.api.conditions.reasons import Reason

EXCLUSIVE_REASONS: Final = {
    Reason.NOT_BROADER: ReasonDoc(
        "Role mappings of others apply to the principal. Their roles add nothing to the declared rights.",
        NOTHING,
        Who.NOBODY,
    ),
    Reason.SHADOWED: ReasonDoc(
        "A role in a file of an Elasticsearch node (`roles.yml`) has the name of the principal's role, and takes "
        "precedence: the caller has the rights of that file, not what is declared. The message says what it adds and "
        "lacks. Elasticsearch itself was asked. Only callers behind a gateway are asked about.",
        "Remove the role from `roles.yml` on each node. Nodes read the file again by themselves. See "
        "docs/exclusive.md.",
        Who.SECURITY,
    ),
    Reason.BROADER_THAN_DECLARED: ReasonDoc(
        "Something in Elasticsearch that is not managed by this operator gives the principal more than is declared: a "
        "role mapping, a user or an API key. The message names it, its role, and what it adds. The operator does not "
        "change it.",
        "Ask its owner to narrow or delete it in Elasticsearch, or declare the rights in a SearchAccess. See "
        "docs/exclusive.md.",
        Who.SECURITY,
    ),
    Reason.ROLE_GIVEN_TO_OTHERS: ReasonDoc(
        "Something in Elasticsearch that is not managed by this operator gives the role of this principal to others: a "
        "role mapping, or a user. They can do what is declared here. The message names it.",
        "Ask its owner to use another role. Declare the others in a SearchAccess if they are service accounts.",
        Who.SECURITY,
    ),
    Reason.WIDENED_BY: ReasonDoc(
        "Another SearchAccess of the same principal shows documents or fields that this one hides with `where` or "
        "`fields`, or the other way round. The message names the other one. Elasticsearch combines both.",
        "Agree with the owner of the other SearchAccess which one is right, and change one of them, or use another "
        "service account for one of the two.",
        Who.SECURITY,
    ),
    Reason.CANNOT_BE_SEEN: ReasonDoc(
        "Others may give the principal more than is declared, and the operator cannot tell. The message says what it "
        "cannot see: a role that may be in a file, a rule about claims that it does not know, or objects that its "
        "login may not read.",
        "Check in Elasticsearch what the message names. Let the login read what it may not read. See "
        "docs/exclusive.md.",
        Who.SECURITY,
    ),
}
