"""Questions on examples/handbook, and a word that the right answer holds: what a version of the generator makes of them.

Usage: facet index ../../../examples/handbook --store STORE
       python handbook_questions.py --facet FACET --store STORE [--model FILE]
"""

import argparse
import json
import subprocess

LIMIT = 3  # The exit code of a run that a budget ended: an answer that never came.
QUESTIONS = [
    ("Who approves trips above 2,000 EUR?", "finance director"),
    ("Who approves trips between 500 EUR and 2,000 EUR?", "team lead"),
    ("What is the hotel limit in Lisbon?", "140 EUR"),
    ("What is the hotel limit in Zurich?", "210 EUR"),
    ("What is the hotel limit in Oslo?", "185 EUR"),
    ("Where are repairs done?", "Innsbruck"),
    ("How many days per week may employees work from home?", "3 days"),
    ("What is the home office allowance?", "25 EUR"),
    ("When are core hours?", "10:00"),
    ("Who approves working from another country?", "Helena"),
    ("What is the monthly limit of the company card?", "1,500"),
    ("What is the daily allowance for meals in Europe?", "42 EUR"),
    ("How is a private car reimbursed?", "0.32"),
    ("When are urgent tickets answered?", "2 hours"),
    ("Who confirms refunds above 300 EUR?", "Tomas Eklund"),
    ("What is the training budget?", "1,200"),
    ("When does unused training budget expire?", "31 December"),
    ("Who approves courses above 800 EUR?", "head of people"),
    ("How long does the library lend books?", "4 weeks"),
    ("What is the price of a headset?", "85"),
    ("Which extension has the travel desk?", "4410"),
    ("What is paid for one week on call?", "350"),
    ("When is the rota changed?", "Monday"),
    ("How long may customers return a lamp?", "60 days"),
    ("Within how many days are expense claims handed in?", "30 days"),
    ("What is the hotel limit in Lisbon, and what do 4 nights cost?", "560"),
    ("What is the hotel limit in Zurich, and what do 3 nights cost?", "630"),
    ("What is the hotel limit in Oslo, and what do 5 nights cost?", "925"),
    ("What does the cafeteria cost?", "do not say"),
    ("What is the name of the dog of the director?", "do not say"),
    ("What is 12 * 7?", "84"),
    ("What is the training budget, and what do 3 years cost?", "3600"),
    ("Who is the head of support?", "Tomas"),
    ("What does the company pay for a pension in Paris?", "do not say"),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--facet", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--model", default="pocket")
    args = parser.parse_args()
    right = 0
    for question, held in QUESTIONS:
        command = [args.facet, "ask", question, "--store", args.store, "--model", args.model, "--no-journal", "--json"]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode not in (0, LIMIT):
            raise SystemExit(ran.stderr or ran.stdout)
        answer = json.loads(ran.stdout)["answer"] if ran.returncode == 0 else "(cut off)"
        right += held in answer
        print("+" if held in answer else "-", question, "|", answer.replace("\n", " "))
    print(right, "of", len(QUESTIONS))


if __name__ == "__main__":
    main()
