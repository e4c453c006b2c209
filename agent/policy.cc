#include "agent/policy.h"

namespace facet::agent {

std::string_view effect_name(tools::Effect effect) {
  switch (effect) {
    case tools::Effect::read_only:
      return "read_only";
    case tools::Effect::changes_state:
      return "changes_state";
    case tools::Effect::external:
      return "external";
  }
  return "external";
}

Decision Policy::decide(const ApprovalQuestion& question) const {
  if (question.effect == tools::Effect::read_only) return Decision::allow;
  if (question.may_have_run ? allow_rerun : allow_all) return Decision::allow;
  if (!ask) return Decision::unavailable;
  return ask(question) ? Decision::allow : Decision::deny;
}

}  // namespace facet::agent
