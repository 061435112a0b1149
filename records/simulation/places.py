"""Where Saral's customers live and what they are called: cities, and names by region and community."""

from __future__ import annotations

LOCALITIES = 4  # areas per city; the network is good or bad per area

# city, state, region (a key of NAMES), weight
CITIES: tuple[tuple[str, str, str, float], ...] = (
    ("Delhi", "Delhi", "hindi", 9), ("Lucknow", "Uttar Pradesh", "hindi", 5), ("Kanpur", "Uttar Pradesh", "hindi", 3),
    ("Varanasi", "Uttar Pradesh", "hindi", 2.5), ("Patna", "Bihar", "hindi", 4), ("Ranchi", "Jharkhand", "hindi", 2),
    ("Jaipur", "Rajasthan", "rajasthani", 5), ("Jodhpur", "Rajasthan", "rajasthani", 2),
    ("Indore", "Madhya Pradesh", "hindi", 3.5), ("Bhopal", "Madhya Pradesh", "hindi", 2.5),
    ("Raipur", "Chhattisgarh", "hindi", 2), ("Dehradun", "Uttarakhand", "pahari", 2),
    ("Shimla", "Himachal Pradesh", "pahari", 1), ("Ludhiana", "Punjab", "punjabi", 3),
    ("Amritsar", "Punjab", "punjabi", 2), ("Srinagar", "Jammu and Kashmir", "kashmiri", 1),
    ("Mumbai", "Maharashtra", "marathi", 9), ("Pune", "Maharashtra", "marathi", 6),
    ("Nagpur", "Maharashtra", "marathi", 3), ("Ahmedabad", "Gujarat", "gujarati", 5),
    ("Surat", "Gujarat", "gujarati", 4),
    ("Kolkata", "West Bengal", "bengali", 6), ("Siliguri", "West Bengal", "bengali", 1.5),
    ("Bhubaneswar", "Odisha", "odia", 2.5), ("Guwahati", "Assam", "northeast", 2),
    ("Shillong", "Meghalaya", "northeast", 1),
    ("Bengaluru", "Karnataka", "kannada", 8), ("Mysuru", "Karnataka", "kannada", 2),
    ("Hyderabad", "Telangana", "telugu", 7), ("Vijayawada", "Andhra Pradesh", "telugu", 3),
    ("Chennai", "Tamil Nadu", "tamil", 7), ("Coimbatore", "Tamil Nadu", "tamil", 3),
    ("Kochi", "Kerala", "malayali", 3.5), ("Panaji", "Goa", "goan", 1),
)  # fmt: skip

# Share of people who write English, Devanagari Hindi, Hinglish; by region, "south and east" differ from the Hindi belt.
WRITERS: dict[str, tuple[float, float, float]] = {
    "hindi": (0.22, 0.42, 0.36), "rajasthani": (0.20, 0.43, 0.37), "pahari": (0.26, 0.40, 0.34),
    "punjabi": (0.36, 0.22, 0.42), "kashmiri": (0.52, 0.18, 0.30), "marathi": (0.48, 0.20, 0.32),
    "gujarati": (0.48, 0.20, 0.32), "bengali": (0.70, 0.08, 0.22), "odia": (0.66, 0.12, 0.22),
    "northeast": (0.82, 0.06, 0.12), "kannada": (0.84, 0.05, 0.11), "telugu": (0.82, 0.06, 0.12),
    "tamil": (0.94, 0.02, 0.04), "malayali": (0.93, 0.02, 0.05), "goan": (0.84, 0.05, 0.11),
    "muslim": (0.38, 0.28, 0.34),
}  # fmt: skip

# One person in eight in every city but these is drawn from the names below "muslim".
NAMES: dict[str, tuple[str, str]] = {
    "hindi": (
        "Sunita Anil Rekha Vikas Pooja Manoj Kavita Rajesh Neha Amit Shalini Pankaj Ritu Deepak Meena "
        "Saurabh Kiran Ashok "
        "Anjali Vivek Usha Rohit Seema Alok Preeti Sanjay Nidhi Ramesh Sapna Mukesh",
        "Sharma Verma Gupta Mishra Yadav Singh Tiwari Srivastava Pandey Chauhan Kushwaha Paswan Jatav Maurya Agrawal "
        "Saxena Prasad Dubey Oraon Sahu",
    ),
    "rajasthani": (
        "Bhanwari Mahendra Kamla Gopal Santosh Narendra Suman Hemant Manju Bhawani Rajni Dinesh Pushpa "
        "Lokesh Sarita Tej",
        "Rathore Meena Shekhawat Jangid Bishnoi Choudhary Soni Purohit Gurjar Kumawat Mathur Bhati",
    ),
    "pahari": (
        "Geeta Mohan Hema Prakash Kusum Naveen Deepa Girish Bimla Tarun Asha Lalit Champa Yogesh",
        "Negi Rawat Bisht Thakur Joshi Pant Bhandari Chandel Dogra Sood Panwar Kandari",
    ),
    "punjabi": (
        "Harpreet Gurpreet Jaspreet Manpreet Simran Balwinder Amandeep Kuldeep Navjot Rupinder Paramjit Sukhwinder",
        "Kaur Singh Gill Sandhu Dhillon Arora Khanna Bedi Grewal Sidhu Malhotra Bhatia",
    ),
    "kashmiri": (
        "Shabnam Tariq Mehvish Bilal Iqra Aijaz Nusrat Farooq Rukhsana Irfan Sanjay Asha",
        "Bhat Lone Dar Wani Mir Kaul Rather Shah Raina Malik",
    ),
    "marathi": (
        "Sneha Ganesh Vaishali Sachin Manisha Nitin Aarti Prashant Swati Mangesh Rohini Santosh Ashwini "
        "Tushar Smita Vijay",
        "Deshmukh Patil Kulkarni Jadhav Pawar Shinde Gaikwad Kamble Joshi More Bhosale Chavan Sawant Deshpande",
    ),
    "gujarati": (
        "Hetal Bhavesh Jignesh Komal Mitesh Nisha Paresh Rupal Chirag Dipti Hardik Kinjal Vipul Falguni",
        "Patel Shah Mehta Desai Trivedi Parmar Solanki Modi Rathod Vora Prajapati Chaudhari",
    ),
    "bengali": (
        "Ananya Subhash Moumita Arindam Sharmila Tapas Rupa Debashish Mitali Sourav Papiya Anirban Soma Kaushik",
        "Mukherjee Chatterjee Das Ghosh Banerjee Mondal Sarkar Roy Bose Dutta Biswas Pal Saha Halder",
    ),
    "odia": (
        "Lopamudra Bijay Sasmita Pradeep Itishree Manas Rashmita Suresh Banita Debendra",
        "Mohanty Sahoo Nayak Panda Behera Das Pradhan Swain Majhi Jena",
    ),
    "northeast": (
        "Dipali Bhaskar Lalrinpuii Tenzin Ibahun Pranjal Mary Kaberi Zothan Rituraj Banri Jonali Wangchuk Merina",
        "Borah Gogoi Sangma Lyngdoh Kalita Ralte Khongwir Deka Brahma Marak Saikia Bhutia",
    ),
    "kannada": (
        "Lakshmi Manjunath Shwetha Girish Kavya Nagaraj Roopa Basavaraj Sowmya Prakash Chaitra Mahesh Bhavya Raghu",
        "Gowda Hegde Shetty Rao Naik Murthy Patil Bhat Kumar Kamath Reddy Acharya",
    ),
    "telugu": (
        "Padma Venkatesh Swapna Srinivas Lavanya Ravi Madhavi Kiran Sirisha Naresh Anusha Prasad Harika Suresh",
        "Reddy Rao Naidu Chowdary Goud Varma Raju Yadav Sarma Mallela Kandula Boddu",
    ),
    "tamil": (
        "Meenakshi Karthik Priya Senthil Revathi Murugan Kavitha Arun Selvi Ramesh Divya Saravanan Malathi Vignesh",
        "Subramanian Iyer Murugesan Rajan Pillai Sundaram Natarajan Selvam Krishnan Raman Palani Anbu",
    ),
    "malayali": (
        "Anju Biju Sreeja Vinod Reshma Joseph Deepthi Rajeev Lekha Thomas Asha Manu Liji Sajith",
        "Nair Menon Kurian Varghese Pillai Thomas Panicker Mathew Nambiar George Kurup Chacko",
    ),
    "goan": (
        "Maria Savio Sheetal Agnelo Prajakta Lourdes Melvin Sweta Joaquim Anita",
        "Fernandes Naik Dsouza Gaonkar Pereira Kamat Rodrigues Gawas",
    ),
    "muslim": (
        "Ayesha Imran Shabana Salman Nazia Faisal Rubina Arif Zeenat Javed Farhana Asif Sana Wasim Nasreen Sameer",
        "Khan Ansari Shaikh Siddiqui Qureshi Ahmed Pathan Hussain Syed Mansuri Begum Rizvi",
    ),
}  # fmt: skip
